using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Apertur.Mutate;

/// <summary>
/// Finds what can be changed in a file. Rules: guards that never or always hold, one of two conditions, a filter, an update, a field, a
/// statement, a bound, an order, an entry of a list, a part of a pattern, a case, or a condition or column of a database statement left out.
/// Details: comparisons off by one, conditions joined otherwise, other numbers. Only places where the unchanged code can stand beside the
/// changed one, so that all mutants are built at once.
/// </summary>
internal sealed partial class MutantFinder(string file, SyntaxNode root)
{
    private static readonly Dictionary<SyntaxKind, string> _others = new()
    {
        [SyntaxKind.LessThanExpression] = "<=",
        [SyntaxKind.LessThanOrEqualExpression] = "<",
        [SyntaxKind.GreaterThanExpression] = ">=",
        [SyntaxKind.GreaterThanOrEqualExpression] = ">",
        [SyntaxKind.EqualsExpression] = "!=",
        [SyntaxKind.NotEqualsExpression] = "==",
        [SyntaxKind.LogicalAndExpression] = "||",
        [SyntaxKind.LogicalOrExpression] = "&&",
        [SyntaxKind.AddExpression] = "-",
        [SyntaxKind.SubtractExpression] = "+",
        [SyntaxKind.MultiplyExpression] = "/",
        [SyntaxKind.DivideExpression] = "*",
        [SyntaxKind.ModuloExpression] = "*",
    };

    // What these are called on can stand for what they give.
    private static readonly HashSet<string> _links =
    [
        "Where", "SetProperty", "Distinct", "Take", "Skip", "Trim", "TrimStart", "TrimEnd", "ToLowerInvariant", "ToUpperInvariant", "OrderBy",
        "OrderByDescending", "ThenBy", "ThenByDescending", "Replace",
    ];

    private static readonly HashSet<string> _bounds = ["Min", "Max", "Clamp", "Round", "Floor", "Ceiling", "Abs"];

    public IEnumerable<Mutant> Details() => root.DescendantNodes().Where(IsRun).SelectMany(node => node switch
    {
        BinaryExpressionSyntax binary => Operators(binary),
        LiteralExpressionSyntax { RawKind: (int)SyntaxKind.NumericLiteralExpression } number => Numbers(number),
        FieldDeclarationSyntax field => Constants(field),
        _ => [],
    });

    public IEnumerable<Mutant> Rules() => root.DescendantNodes().Where(IsRun).SelectMany(node => node switch
    {
        BinaryExpressionSyntax { RawKind: (int)SyntaxKind.LogicalAndExpression or (int)SyntaxKind.LogicalOrExpression } binary => Halves(binary),
        InvocationExpressionSyntax { Expression: MemberAccessExpressionSyntax method } call => Links(call, method),
        InvocationExpressionSyntax { Expression: IdentifierNameSyntax } call => Entries(call),
        CollectionExpressionSyntax { Parent: EqualsValueClauseSyntax } list => Entries(list),
        CatchFilterClauseSyntax filter => Conditions(filter.FilterExpression),
        IfStatementSyntax branch => Conditions(branch.Condition),
        ConditionalExpressionSyntax choice => Conditions(choice.Condition),
        WhileStatementSyntax { Condition: not LiteralExpressionSyntax } loop => [.. Conditions(loop.Condition).Take(1)],
        ExpressionStatementSyntax or YieldStatementSyntax => Omissions((StatementSyntax)node),
        // Others may be what keeps a method from ending without a result.
        ThrowStatementSyntax { Parent: IfStatementSyntax or BlockSyntax { Parent: IfStatementSyntax } } statement => Omissions(statement),
        AssignmentExpressionSyntax { Parent: InitializerExpressionSyntax } field => Fields(field),
        IsPatternExpressionSyntax test => Patterns(test),
        SwitchExpressionSyntax choice => Cases(choice),
        QueryExpressionSyntax query => Clauses(query),
        BinaryExpressionSyntax { RawKind: (int)SyntaxKind.CoalesceExpression, Right: ThrowExpressionSyntax } binary => Missing(binary),
        BinaryExpressionSyntax { RawKind: (int)SyntaxKind.CoalesceExpression } binary => Fallbacks(binary),
        LiteralExpressionSyntax { RawKind: (int)SyntaxKind.StringLiteralExpression } or InterpolatedStringExpressionSyntax => Sql(node),
        _ => [],
    });

    /// <summary>Constants that the compiler itself works out cannot depend on a switch.</summary>
    private static bool IsRun(SyntaxNode node) => !node.Ancestors().Any(outer => outer
        is AttributeSyntax or ParameterSyntax or EnumMemberDeclarationSyntax or PatternSyntax or SwitchLabelSyntax
            or LocalDeclarationStatementSyntax { IsConst: true }
        || outer is FieldDeclarationSyntax field && field.Modifiers.Any(SyntaxKind.ConstKeyword));

    private IEnumerable<Mutant> Operators(BinaryExpressionSyntax binary)
    {
        // A variable that a pattern declares cannot be declared twice; text is joined, not added.
        if (!_others.TryGetValue(binary.Kind(), out var other) || Declares(binary) || (binary.IsKind(SyntaxKind.AddExpression) && IsText(binary)))
            yield break;
        var changed = $"{OneLine(binary.Left)} {other} {OneLine(binary.Right)}";
        yield return Of(binary, $"{OneLine(binary)}  =>  {changed}", (on, same) => $"({on} ? ({changed}) : ({same}))");
    }

    private IEnumerable<Mutant> Numbers(LiteralExpressionSyntax number)
    {
        if (number.Token.Value is int or long or double or decimal && number.Parent is not PrefixUnaryExpressionSyntax)
        {
            yield return Of(
                number, $"{number}  =>  {number} + 1  in  {OneLine(number.Parent!)}", (on, same) => $"({on} ? {number} + 1 : {same})");
        }
    }

    /// <summary>A constant becomes a field, which works wherever no other constant is made of it; the build tells.</summary>
    private IEnumerable<Mutant> Constants(FieldDeclarationSyntax field)
    {
        if (!field.Modifiers.Any(SyntaxKind.ConstKeyword) || field.Declaration.Type.ToString() is not ("int" or "long" or "double")
            || field.Declaration.Variables is not [{ Initializer.Value: { } value } variable])
            yield break;
        yield return Of(field, $"{variable}  =>  + 1", (on, same) => same
            .Replace("const ", "static readonly ", StringComparison.Ordinal)
            .Replace($"= {value}", $"= {on} ? ({value}) + 1 : {value}", StringComparison.Ordinal));
    }

    private IEnumerable<Mutant> Halves(BinaryExpressionSyntax binary)
    {
        if (Declares(binary))
            yield break;
        foreach (var half in new[] { binary.Left, binary.Right })
            yield return Of(binary, $"{OneLine(binary)}  =>  {OneLine(half)}", (on, same) => $"({on} ? ({OneLine(half)}) : ({same}))");
    }

    /// <summary>Calls whose result can stand for what they are called on, such as a filter of a query, and those that bound or round a number.</summary>
    private IEnumerable<Mutant> Links(InvocationExpressionSyntax call, MemberAccessExpressionSyntax method)
    {
        if (Declares(call))
            yield break;
        if (method is { Expression: IdentifierNameSyntax { Identifier.Text: "Math" } } && _bounds.Contains(method.Name.Identifier.Text))
        {
            foreach (var left in call.ArgumentList.Arguments.Take(method.Name.Identifier.Text is "Min" or "Max" ? 2 : 1))
                yield return Of(call, $"{OneLine(call)}  =>  {OneLine(left)}", (on, same) => $"({on} ? ({OneLine(left)}) : ({same}))");
        }

        // An order must be there for another to come after it.
        if (!_links.Contains(method.Name.Identifier.Text) || call.Parent is MemberAccessExpressionSyntax { Name.Identifier.Text: "ThenBy" or "ThenByDescending" })
            yield break;
        var (before, link) = (OneLine(method.Expression), $"{method.Name}{OneLine(call.ArgumentList)}");
        yield return Of(call, $".{link}  =>  ", (on, same) => method.Name.Identifier.Text != "SetProperty"
            ? $"({on} ? ({before}) : ({same}))"
            // A call, because updates are written as statements.
            : $"global::Apertur.MutantSwitch.Either({on}, () => {before}, () => {same})");
    }

    private IEnumerable<Mutant> Conditions(ExpressionSyntax condition)
    {
        // Where `x is T y` holds, y is used; where `x is not T y` does not, as well.
        var (declares, negated) = (Declares(condition), condition.DescendantNodes().OfType<UnaryPatternSyntax>().Any());
        if (!declares || !negated)
            yield return Of(condition, $"{OneLine(condition)}  =>  false", (on, same) => $"(!{on} && ({same}))");
        if (!declares || negated)
            yield return Of(condition, $"{OneLine(condition)}  =>  true", (on, same) => $"({on} || ({same}))");
    }

    private IEnumerable<Mutant> Omissions(StatementSyntax statement)
    {
        if (!Declares(statement))
            yield return Of(statement, $"{OneLine(statement)}  =>  ;", (on, same) => $"{{ if (!{on}) {{ {same} }} }}");
    }

    /// <summary>A field of a new row or answer that is left as it is when nobody sets it.</summary>
    private IEnumerable<Mutant> Fields(AssignmentExpressionSyntax field)
    {
        if (!Declares(field) && field.Right is not (InitializerExpressionSyntax or CollectionExpressionSyntax or LambdaExpressionSyntax or LiteralExpressionSyntax))
            yield return Of(field.Right, $"{OneLine(field)}  =>  default", (on, same) => $"({on} ? default! : ({same}))");
    }

    private IEnumerable<Mutant> Patterns(IsPatternExpressionSyntax test)
    {
        if (Declares(test))
            yield break;
        var others = test.DescendantNodes().OfType<BinaryPatternSyntax>().SelectMany(
            binary => new[] { test.ReplaceNode(binary, binary.Left), test.ReplaceNode(binary, binary.Right) });
        var looser = test.DescendantNodes().OfType<PropertyPatternClauseSyntax>().Where(clause => clause.Subpatterns.Count > 1)
            .SelectMany(clause => clause.Subpatterns.Select(part => test.RemoveNode(part, SyntaxRemoveOptions.KeepNoTrivia)!));
        foreach (var changed in others.Concat(looser).Select(OneLine))
            yield return Of(test, $"{OneLine(test)}  =>  {changed}", (on, same) => $"({on} ? ({changed}) : ({same}))");
    }

    /// <summary>One case of a choice: the ones after it, or the last, stand for it.</summary>
    private IEnumerable<Mutant> Cases(SwitchExpressionSyntax choice)
    {
        var parts = choice.Arms.SelectMany(arm => arm.Pattern.DescendantNodesAndSelf()).OfType<BinaryPatternSyntax>();
        foreach (var (part, left) in parts.SelectMany(part => new[] { (part, part.Left), (part, part.Right) }))
        {
            var changed = OneLine(choice.ReplaceNode(part, left));
            yield return Of(choice, $"{OneLine(part)}  =>  {OneLine(left)}", (on, same) => $"({on} ? ({changed}) : ({same}))");
        }

        foreach (var arm in choice.Arms.Where(arm => arm is not { Pattern: DiscardPatternSyntax, WhenClause: null }))
        {
            var changed = OneLine(choice.RemoveNode(arm, SyntaxRemoveOptions.KeepNoTrivia)!);
            yield return Of(choice, $"{OneLine(arm)}  =>  ", (on, same) => $"({on} ? ({changed}) : ({same}))");
        }
    }

    /// <summary>A filter or an order of a query that is written as one.</summary>
    private IEnumerable<Mutant> Clauses(QueryExpressionSyntax query)
    {
        foreach (var clause in query.Body.Clauses.Where(clause => clause is WhereClauseSyntax or OrderByClauseSyntax && !Declares(query)))
        {
            var rest = OneLine(query.RemoveNode(clause, SyntaxRemoveOptions.KeepNoTrivia)!);
            yield return Of(query, $"{OneLine(clause)}  =>  ", (on, same) => $"({on} ? ({rest}) : ({same}))");
        }
    }

    private IEnumerable<Mutant> Missing(BinaryExpressionSyntax binary)
    {
        if (!Declares(binary))
            yield return Of(binary, $"{OneLine(binary)}  =>  {OneLine(binary.Left)}", (on, same) => $"({on} ? ({OneLine(binary.Left)}) : ({same}))");
    }

    private IEnumerable<Mutant> Fallbacks(BinaryExpressionSyntax binary)
    {
        if (!Declares(binary))
            yield return Of(binary, $"{OneLine(binary)}  =>  {OneLine(binary.Right)}", (on, same) => $"({on} ? ({OneLine(binary.Right)}) : ({same}))");
    }

    private IEnumerable<Mutant> Entries(CollectionExpressionSyntax list)
    {
        foreach (var element in list.Elements.Take(list.Elements.Count > 1 ? list.Elements.Count : 0).Where(_ => !Declares(list)))
        {
            var rest = OneLine(list.RemoveNode(element, SyntaxRemoveOptions.KeepNoTrivia)!);
            yield return Of(list, $"{OneLine(element)}  =>  ", (on, same) => $"({on} ? {rest} : {same})");
        }
    }

    private IEnumerable<Mutant> Entries(InvocationExpressionSyntax call)
    {
        var entries = call.ArgumentList.Arguments;
        foreach (var entry in entries.Take(entries.Count > 2 && entries.All(each => each.Expression.IsKind(SyntaxKind.StringLiteralExpression)) ? entries.Count : 0))
        {
            var rest = OneLine(call.RemoveNode(entry, SyntaxRemoveOptions.KeepNoTrivia)!);
            yield return Of(call, $"{OneLine(entry)}  =>  ", (on, same) => $"({on} ? {rest} : {same})");
        }
    }

    private IEnumerable<Mutant> Sql(SyntaxNode text)
    {
        // What takes its parameters from the text's own holes must go on seeing them.
        var cast = text.Parent?.Parent?.Parent is InvocationExpressionSyntax { Expression: MemberAccessExpressionSyntax method }
            && method.Name.Identifier.Text is "ExecuteSqlAsync" or "SqlQuery" or "FromSql" ? "(global::System.FormattableString)" : "";
        foreach (var (gone, rest) in SqlRules.Of(Break().Replace(text.ToString(), " ")))
            yield return Of(text, $"SQL {gone}  =>  ", (on, same) => $"({on} ? {cast}{rest} : {same})");
    }

    private Mutant Of(SyntaxNode node, string says, Func<string, string, string> wrap)
    {
        var lines = node.GetLocation().GetLineSpan();
        return new(file, lines.StartLinePosition.Line + 1, lines.EndLinePosition.Line + 1, node.SpanStart, node.Span.Length, says, wrap);
    }

    private static bool Declares(SyntaxNode node) => node.DescendantNodesAndSelf().Any(inner => inner
        is VariableDesignationSyntax or DeclarationExpressionSyntax
        || (inner is LambdaExpressionSyntax && inner.DescendantNodes().OfType<BlockSyntax>().Any()));

    private static bool IsText(SyntaxNode node) => node.DescendantNodes().Any(inner => inner
        is InterpolatedStringExpressionSyntax || inner.IsKind(SyntaxKind.StringLiteralExpression));

    private static string OneLine(SyntaxNode node) =>
        string.Join(' ', node.DescendantTokens().Aggregate("", (text, token) => text + token + (token.TrailingTrivia.Any() ? " " : ""))
            .Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));

    [GeneratedRegex(@"\s*\n\s*")]
    private static partial Regex Break();
}
