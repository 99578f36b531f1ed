using Lavt.GpuBench;
using Lavt.Kernels.Cuda.Driver;

switch (args)
{
    case ["compile"]:
        return CompileReport.Write(CudaDevice.Open(0), Console.Out);
    case ["serve"]:
        new KernelServer(CudaDevice.Open(0), Console.In, Console.Out).Run();
        return 0;
    default:
        Console.Error.WriteLine("usage: Lavt.GpuBench compile | serve (bench/README.md: kernels on a GPU)");
        return 2;
}
