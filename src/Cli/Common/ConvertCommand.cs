using System.CommandLine;
using Lavt.Nn.Weights;
using Lavt.Options;
using Lavt.Tensors;
using Lavt.Weights;

namespace Lavt.Cli;

/// <summary><c>lavt convert</c>: the weights of a checkpoint in the other file format, without the optimizer.</summary>
internal static class ConvertCommand
{
    /// <summary>The command.</summary>
    public static Command Create()
    {
        var from = new Argument<string>("from") { HelpName = "FROM", Description = "A checkpoint, .pth or .safetensors." };
        var to = new Argument<string>("to") { HelpName = "TO", Description = "The file to write; its ending, .pth or .safetensors, says how." };
        var command = new Command("convert", "Writes the weights of a checkpoint as .pth or .safetensors, without the optimizer.") { from, to };
        HelpPage.Attach(command, "lavt convert checkpoints/model_best_refcoco.pth refcoco.safetensors", "lavt convert refcoco.safetensors refcoco.pth");
        command.SetAction(result => Run(result.GetValue(from)!, result.GetValue(to)!));
        return command;
    }

    private static int Run(string from, string to)
    {
        if (Path.GetExtension(to).ToLowerInvariant() is not (".pth" or ".safetensors"))
            throw new OptionException(to, "its ending says how it is written: expected a name that ends with .pth or .safetensors");
        using MemoryScope scope = MemoryScope.Begin();
        LavtCheckpoint checkpoint = LavtCheckpoint.Read(from);
        OutputPath.RequireWritable(to);
        checkpoint.WriteWeights(to);
        Console.WriteLine($"{to}: {checkpoint.Model.Count + (checkpoint.Bert?.Count ?? 0)} tensors, {new FileInfo(to).Length >> 20} MiB");
        return ExitCode.Ok;
    }
}
