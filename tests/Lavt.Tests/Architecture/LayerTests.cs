using System.Reflection;
using Xunit;

namespace Lavt.Tests.Architecture;

/// <summary>Tensor, Kernels, Autograd, Nn, Lavt, Cli: each layer uses the ones before it and nothing behind it.</summary>
public class LayerTests
{
    private static readonly string[] s_layers = ["Lavt.Tensors", "Lavt.Kernels", "Lavt.Autograd", "Lavt.Nn", "Lavt", "Lavt.Cli"];

    /// <summary>Libraries from outside that a layer may use.</summary>
    private static readonly Dictionary<string, string[]> s_packages = new()
    {
        ["Lavt.Kernels"] = ["Iced"],
        ["Lavt.Nn"] = ["Google.Protobuf"],
        ["Lavt.Cli"] = ["System.CommandLine"],
    };

    public static TheoryData<string> Layers => [.. s_layers];

    [Theory]
    [MemberData(nameof(Layers))]
    public void A_layer_uses_only_the_layers_before_it(string layer)
    {
        Assembly assembly = Assembly.Load(layer);
        IEnumerable<string> before = s_layers.TakeWhile(name => name != layer);
        string[] packages = s_packages.GetValueOrDefault(layer, []);
        string[] foreign = [.. assembly.GetReferencedAssemblies().Select(reference => reference.Name!)
            .Where(name => !IsPlatform(name) && !packages.Contains(name))];
        Assert.Subset(before.ToHashSet(), foreign.ToHashSet());
    }

    [Theory]
    [InlineData("Lavt.Program")]
    [InlineData("lavt-train")]
    [InlineData("lavt-eval")]
    public void Executables_hold_no_logic(string name)
    {
        Assembly assembly = Assembly.Load(name);
        Assert.Equal(["Program"], assembly.GetTypes().Where(type => !type.Name.StartsWith('<') && !IsGenerated(type)).Select(type => type.Name));
        Assert.Equal(["Lavt.Cli"], assembly.GetReferencedAssemblies().Select(reference => reference.Name!).Where(used => !IsPlatform(used)));
    }

    private static bool IsGenerated(Type type) => type.Namespace is "Microsoft.CodeAnalysis" or "System.Runtime.CompilerServices";

    private static bool IsPlatform(string assembly) =>
        assembly is "mscorlib" or "netstandard" || (assembly.StartsWith("System.", StringComparison.Ordinal) && assembly != "System.CommandLine")
        || assembly.StartsWith("Microsoft.", StringComparison.Ordinal);
}
