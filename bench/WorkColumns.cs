using System.Globalization;
using System.Reflection;
using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Parameters;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using Lavt.Kernels;

namespace Lavt.Bench;

/// <summary>
/// Adds to every benchmark what its kernels reach: GFLOP/s, GB/s, and the larger of their shares of what the machine was measured
/// to do just before. The work is what the kernels say of themselves in a profile of one more run.
/// </summary>
internal sealed class WorkColumns : ManualConfig
{
    public WorkColumns()
    {
        Lazy<MachinePeak> peak = new(MachinePeak.Measure);
        AddColumn(new Column("GFLOP/s", "Floating-point operations that the kernels did, per second", (work, seconds) => Number(work.Flops / seconds / 1e9)));
        AddColumn(new Column("GB/s", "Bytes that the kernels had to read and write at least, per second", (work, seconds) => Number(work.Bytes / seconds / 1e9)));
        AddColumn(new Column("% of peak", "The larger of the shares of the measured peaks: multiply-adds in registers, and STREAM's triad (more than 100: from caches, or bfloat16)",
            (work, seconds) => Number(100 * peak.Value.ShareOf(work with { Seconds = seconds }))));
    }

    private static string Number(double value) => value == 0 ? "" : value.ToString("F0", CultureInfo.InvariantCulture);

    private sealed class Column(string name, string legend, Func<KernelTime, double, string> show) : IColumn
    {
        private static readonly Dictionary<BenchmarkCase, KernelTime> s_work = [];

        public string Id => name;

        public string ColumnName => name;

        public bool AlwaysShow => true;

        public ColumnCategory Category => ColumnCategory.Custom;

        public int PriorityInCategory => 0;

        public bool IsNumeric => true;

        public UnitType UnitType => UnitType.Dimensionless;

        public string Legend => legend;

        public bool IsAvailable(Summary summary) => true;

        public bool IsDefault(Summary summary, BenchmarkCase benchmarkCase) => false;

        public string GetValue(Summary summary, BenchmarkCase benchmarkCase, SummaryStyle style) => GetValue(summary, benchmarkCase);

        public string GetValue(Summary summary, BenchmarkCase benchmarkCase)
        {
            if (summary[benchmarkCase]?.ResultStatistics?.Median is not { } nanoseconds) return "-";
            if (!s_work.TryGetValue(benchmarkCase, out KernelTime work)) s_work[benchmarkCase] = work = Work(benchmarkCase.Descriptor, benchmarkCase.Parameters);
            return show(work, nanoseconds / 1e9);
        }

        /// <summary>All that the kernels of one run do together.</summary>
        private static KernelTime Work(Descriptor benchmark, ParameterInstances parameters)
        {
            object instance = Activator.CreateInstance(benchmark.Type)!;
            foreach (ParameterInstance parameter in parameters.Items) benchmark.Type.GetProperty(parameter.Name)!.SetValue(instance, parameter.Value);
            Call<GlobalSetupAttribute>(instance);
            using KernelProfile profile = KernelProfile.Begin();
            benchmark.WorkloadMethod.Invoke(instance, null);
            Call<GlobalCleanupAttribute>(instance);
            return new KernelTime(benchmark.DisplayInfo, 1, 0, profile.Times.Sum(t => t.Flops), profile.Times.Sum(t => t.Bytes));
        }

        private static void Call<TAttribute>(object instance)
            where TAttribute : Attribute =>
            instance.GetType().GetMethods().FirstOrDefault(method => method.IsDefined(typeof(TAttribute)))?.Invoke(instance, null);
    }
}
