using System.CommandLine;
using Lavt.Golden;
using Lavt.Kernels.Cpu;
using Lavt.Options;
using Lavt.Tensors;

namespace Lavt.Cli;

/// <summary><c>lavt golden</c>: checks the engine against files of numbers that PyTorch computed.</summary>
internal static class GoldenCommand
{
    /// <summary>The command.</summary>
    public static Command Create()
    {
        var folder = new Argument<string>("folder") { HelpName = "DIR", Description = "Folder of golden files." };
        var verbose = new Option<bool>("--verbose") { Description = "List the comparisons that passed, too." };
        var precision = new Option<string>("--precision") { HelpName = "fp32|bf16", Description = "With bf16: compare the masks of whole models with float32's. Default: fp32.", DefaultValueFactory = _ => "fp32" }.AcceptOnlyFromAmong("fp32", "bf16");
        var command = new Command("golden", "Checks the engine against numbers that PyTorch computed.") { folder, verbose, precision };
        HelpPage.Attach(command, "lavt golden tests/golden", "lavt golden tests/golden/modules --verbose", "lavt golden tests/golden/full --precision bf16 --verbose", "lavt golden tests/golden/full/lavt_tiny_w7_224.safetensors");
        command.SetAction(result => Run(result.GetValue(folder)!, result.GetValue(verbose), result.GetValue(precision)!));
        return command;
    }

    private static int Run(string folder, bool verbose, string precision)
    {
        var machine = new MachineOptions { Precision = precision == "bf16" ? Precision.BFloat16 : Precision.Float32 };
        if (machine.Precision != Precision.Float32 && machine.Products == DType.F32)
            throw new MissingDeviceException($"--precision bf16: products of bfloat16 are not available: {Bf16Gemm.Missing}");
        var report = new GoldenReport();
        GoldenRunner.Run(folder, report, progress: file => Console.Error.WriteLine(file), products: machine.Products);
        foreach (GoldenResult result in verbose ? report.Results : report.Failures)
            Console.WriteLine($"{(result.Passed ? "pass" : "FAIL")}  {result.File}  {result.Item}: {result.Detail}");
        foreach (string skipped in report.Skipped)
            Console.WriteLine("skipped  " + skipped);
        int failed = report.Failures.Count();
        Console.WriteLine($"{report.Results.Count - failed} passed, {failed} failed, {report.Skipped.Count} skipped");
        return failed == 0 ? ExitCode.Ok : ExitCode.Internal;
    }
}
