using Apertur.Tests.Repository;
using Apertur.Tests.Support;

namespace Apertur.Tests.Widget;

/// <summary>The folder that goes to npm as it is.</summary>
public sealed class WidgetPackageTests
{
    private const string Consumer = """
        import '@apertur/widget';
        import type { AperturPhoto } from '@apertur/widget';

        const field = document.querySelector('apertur-photos')!;
        const photos: readonly AperturPhoto[] = field.photos;
        field.addEventListener('apertur:photo', ({ detail }) => console.log(detail.filename.length + photos.length));
        field.addEventListener('apertur:phone', ({ detail }) => detail.connected satisfies boolean);
        """;

    [Fact]
    public async Task Package_holds_what_its_exports_name_with_types_and_can_be_imported_without_a_document()
    {
        using var folder = new TempFolder();
        await File.WriteAllTextAsync(Path.Combine(folder.Path, "consumer.ts"), Consumer, TestContext.Current.CancellationToken);

        await Shell.RunAsync(
            """
            cd "$FOLDER"
            npm pack --silent "$WEB/widget"
            mkdir -p node_modules/@apertur/widget
            tar -xf apertur-widget-*.tgz --strip-components=1 -C node_modules/@apertur/widget
            node --input-type=module -e "await import('@apertur/widget')"
            "$WEB/node_modules/.bin/tsc" consumer.ts --noEmit --strict --target es2022 --module esnext --moduleResolution bundler
            """,
            new Dictionary<string, string> { ["FOLDER"] = folder.Path, ["WEB"] = Path.Combine(RepositoryFiles.Root, "web") });
    }
}
