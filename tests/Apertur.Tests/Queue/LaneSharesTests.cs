using Apertur.Server.Queue;

namespace Apertur.Tests.Queue;

/// <summary>Who gets how many of a node's lanes: 64, and 8 for one endpoint.</summary>
public sealed class LaneSharesTests
{
    private readonly LaneShares _shares = new(lanes: 64, perEndpoint: 8);

    [Fact]
    public void Projects_share_the_lanes_whatever_the_number_of_their_endpoints()
    {
        var many = Project(endpoints: 200);
        var few = Project(endpoints: 6);

        var granted = _shares.Divide([.. many, .. few], []);

        Assert.Equal(32, Sum(granted, few));
        Assert.Equal(96, Sum(granted, many));
        Assert.All(few, endpoint => Assert.InRange(granted[endpoint.Id], 5, 6));
    }

    [Fact]
    public void Endpoints_of_a_project_get_the_same_and_one_alone_its_most()
    {
        Assert.Equal(8, Assert.Single(_shares.Divide(Project(endpoints: 1), [])).Value);
        var granted = _shares.Divide(Project(endpoints: 4), []);
        Assert.Equal([8, 8, 8, 8], granted.Values);
    }

    [Fact]
    public void Project_that_has_every_lane_does_not_keep_another_from_starting()
    {
        var hanging = Project(endpoints: 200);
        var running = hanging.Take(128).ToList();
        var other = Project(endpoints: 1);

        var granted = _shares.Divide([.. hanging, .. other], running);

        Assert.Equal((other.Single().Id, 8), Only(granted));
    }

    [Fact]
    public void Hanging_endpoint_in_each_of_two_hundred_projects_leaves_room_for_one_more_project()
    {
        var hanging = Enumerable.Range(0, 200).SelectMany(_ => Project(endpoints: 1)).ToList();
        var running = Run(_shares.Divide(hanging, []), hanging);
        Assert.All(hanging, endpoint => Assert.Contains(endpoint, running));
        var other = Project(endpoints: 1);

        Assert.Equal(1, _shares.Divide([.. hanging, .. other], running)[other.Single().Id]);
    }

    [Fact]
    public void Endpoints_that_did_not_answer_leave_half_of_the_lanes_to_the_others_of_their_project()
    {
        var silent = Project(endpoints: 200).ConvertAll(endpoint => endpoint with { Standing = Standing.Silent });
        var running = Run(_shares.Divide(silent, []), silent);
        Assert.Equal(32, running.Count);
        Assert.Equal(32, running.Distinct().Count());
        var healthy = new DueEndpoint(Guid.NewGuid(), silent[0].Project);

        Assert.Equal((healthy.Id, 8), Only(_shares.Divide([.. silent, healthy], running)));
        Assert.Empty(_shares.Divide(silent, running));
        var elsewhere = Project(endpoints: 2).ConvertAll(endpoint => endpoint with { Standing = Standing.Silent });
        Assert.Equal(1, Only(_shares.Divide([.. silent, .. elsewhere], running)).Lanes);
        // Of projects that have nothing else, twice the number of the node.
        var alone = Enumerable.Range(0, 200).SelectMany(_ => Project(endpoints: 1)).Select(endpoint => endpoint with { Standing = Standing.Silent });
        Assert.Equal(128, _shares.Divide(alone, []).Values.Sum());
    }

    [Fact]
    public void Endpoints_that_answer_use_up_nothing_of_what_is_left_to_silent_ones()
    {
        var healthy = Project(endpoints: 5);
        var silent = healthy[0] with { Id = Guid.NewGuid(), Standing = Standing.Silent };

        Assert.Equal(1, _shares.Divide([.. healthy, silent], [])[silent.Id]);
    }

    [Fact]
    public void Endpoint_that_keeps_up_gets_as_many_as_its_window_has()
    {
        var endpoint = Project(endpoints: 1)[0] with { Lanes = 12 };

        Assert.Equal((endpoint.Id, 12), Only(_shares.Divide([endpoint], [])));
    }

    [Fact]
    public void Endpoint_that_answers_comes_before_one_that_fell_silent()
    {
        var shares = new LaneShares(lanes: 1, perEndpoint: 1);
        var answers = new DueEndpoint(Guid.NewGuid(), Guid.NewGuid());
        var silent = answers with { Id = Guid.NewGuid(), Standing = Standing.Silent };

        Assert.Equal((answers.Id, 1), Only(shares.Divide([silent, answers], Project(endpoints: 1))));
    }

    [Theory]
    [InlineData(0, 4)]
    [InlineData(7, 3)]
    [InlineData(8, 2)]
    public void Who_has_little_goes_over_the_number_of_the_node_but_not_for_ever(int has, int times)
    {
        var project = Project(endpoints: 9);
        var others = Enumerable.Range(0, (64 * times) - has).SelectMany(_ => Project(endpoints: 1)).ToList();

        Assert.Empty(_shares.Divide([project[^1]], [.. project.Take(has), .. others]));
        Assert.Equal((project[^1].Id, 1), Only(_shares.Divide([project[^1]], [.. project.Take(has), .. others[1..]])));
    }

    [Fact]
    public void Endpoint_that_has_never_answered_gets_one_lane()
    {
        var fresh = Project(endpoints: 3).ConvertAll(endpoint => endpoint with { Standing = Standing.New });

        Assert.Equal([1, 1, 1], _shares.Divide(fresh, []).Values);
        Assert.Empty(_shares.Divide(fresh, fresh));
    }

    [Fact]
    public void Limit_over_all_nodes_holds()
    {
        var recovering = Project(endpoints: 1).ConvertAll(endpoint => endpoint with { Free = 2 });
        var full = Project(endpoints: 1).ConvertAll(endpoint => endpoint with { Free = 0 });

        Assert.Equal((recovering[0].Id, 2), Only(_shares.Divide([.. recovering, .. full], [])));
    }

    [Fact]
    public void Node_with_a_single_lane_gives_it_out()
    {
        var shares = new LaneShares(lanes: 1, perEndpoint: 1);
        var project = Project(endpoints: 3);

        Assert.Equal([1, 1], shares.Divide(project, []).Values);
        Assert.Empty(shares.Divide(project, project.Take(2).ToList()));
        Assert.Equal(1, Only(shares.Divide([project[1] with { Standing = Standing.Silent }], [project[0]])).Lanes);
    }

    [Fact]
    public void Many_endpoints_are_divided_in_little_time()
    {
        var due = Enumerable.Range(0, 100).SelectMany(_ => Project(endpoints: 500)).ToList();

        var granted = _shares.Divide(due, []);

        Assert.Equal(192, granted.Values.Sum());
        Assert.Equal(100, due.Where(endpoint => granted.ContainsKey(endpoint.Id)).Select(endpoint => endpoint.Project).Distinct().Count());
    }

    private static List<DueEndpoint> Project(int endpoints)
    {
        var project = Guid.NewGuid();
        return [.. Enumerable.Range(0, endpoints).Select(_ => new DueEndpoint(Guid.NewGuid(), project))];
    }

    private static (Guid Endpoint, int Lanes) Only(IReadOnlyDictionary<Guid, int> granted) => Assert.Single(granted) is var only ? (only.Key, only.Value) : default;

    private static int Sum(IReadOnlyDictionary<Guid, int> granted, List<DueEndpoint> project) =>
        project.Sum(endpoint => granted.GetValueOrDefault(endpoint.Id));

    private static List<DueEndpoint> Run(IReadOnlyDictionary<Guid, int> granted, List<DueEndpoint> due) =>
        [.. due.SelectMany(endpoint => Enumerable.Repeat(endpoint, granted.GetValueOrDefault(endpoint.Id)))];
}
