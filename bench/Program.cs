using System.Reflection;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Filters;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using Lavt.Bench;
using Lavt.Kernels.Cpu;

if (args is ["devices", ..]) return DeviceReport.Run(args[1..]);
ManualConfig config = ManualConfig.Union(DefaultConfig.Instance, new WorkColumns());
config.AddFilter(new SimpleFilter(benchmark => benchmark.Descriptor.Type != typeof(Bf16GemmBench) || Bf16Gemm.Missing is null));
config.AddFilter(new SimpleFilter(benchmark => benchmark.Descriptor.Type != typeof(GpuSumBench) || (int)benchmark.Parameters[nameof(GpuSumBench.Devices)] <= GpuSumBench.Available));
Summary[] summaries = [.. BenchmarkSwitcher.FromAssembly(Assembly.GetExecutingAssembly()).Run(args, config)];
return summaries.All(summary => !summary.HasCriticalValidationErrors && summary.Reports.All(report => report.Success)) ? 0 : 1;
