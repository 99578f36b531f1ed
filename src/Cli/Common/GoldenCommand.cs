using System.CommandLine;
using Lavt.Golden;
using Lavt.Kernels.Cpu;
using Lavt.Options;

namespace Lavt.Cli;

/// <summary><c>lavt golden</c>: checks the engine against files of numbers that PyTorch computed.</summary>
internal static class GoldenCommand
{
    /// <summary>The command.</summary>
    public static Command Create()
    {
        var folder = new Argument<string>("folder") { HelpName = "DIR", Description = "Folder of golden files." };
        var verbose = new Option<bool>("--verbose") { Description = "List the comparisons that passed, too." };
        var precision = new Option<string>("--precision") { HelpName = "fp32|bf16|fp16|tf32", Description = "With bf16, or on a GPU fp16 or tf32: compare the masks of whole models with float32's. Default: fp32.", DefaultValueFactory = _ => "fp32" }.AcceptOnlyFromAmong("fp32", "bf16", "fp16", "tf32");
        var device = new Option<string>("--device") { HelpName = "cpu|cuda[:N]", Description = "Where modules, losses and whole models compute. Default: cpu.", DefaultValueFactory = _ => "cpu" };
        var command = new Command("golden", "Checks the engine against numbers that PyTorch computed.") { folder, verbose, precision, device };
        HelpPage.Attach(command, "lavt golden tests/golden", "lavt golden tests/golden/modules --verbose", "lavt golden tests/golden/full --precision bf16 --verbose", "lavt golden tests/golden/full --device cuda", "lavt golden tests/golden/full/lavt_tiny_w7_224.safetensors");
        command.SetAction(result => Run(result.GetValue(folder)!, result.GetValue(verbose), new MachineOptions
        {
            DeviceNames = result.GetValue(device)!,
            Precision = result.GetValue(precision) switch { "bf16" => Precision.BFloat16, "fp16" => Precision.Float16, "tf32" => Precision.Tf32, _ => Precision.Float32 },
        }));
        return command;
    }

    private static int Run(string folder, bool verbose, MachineOptions machine)
    {
        Machine.Prepare(machine);
        if (machine.Precision == Precision.BFloat16 && !machine.Device.IsCuda && Bf16Gemm.Missing is { } why)
            throw new MissingDeviceException($"--precision bf16: products of bfloat16 are not available: {why}");
        var report = new GoldenReport();
        GoldenRunner.Run(folder, report, progress: file => Console.Error.WriteLine(file), precision: machine.Precision, place: new(machine.Device));
        foreach (GoldenResult result in verbose ? report.Results : report.Failures)
            Console.WriteLine($"{(result.Passed ? "pass" : "FAIL")}  {result.File}  {result.Item}: {result.Detail}");
        foreach (string skipped in report.Skipped)
            Console.WriteLine("skipped  " + skipped);
        int failed = report.Failures.Count();
        Console.WriteLine($"{report.Results.Count - failed} passed, {failed} failed, {report.Skipped.Count} skipped");
        return failed == 0 ? ExitCode.Ok : ExitCode.Internal;
    }
}
