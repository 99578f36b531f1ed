using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Lavt.Kernels.Cpu;

namespace Lavt.Bench;

/// <summary>
/// Measures what several CPU devices of a process cost: <c>devices [--rounds N] [--json FILE]</c>. All cases run in one process and take
/// turns, so that whatever else the machine does meets all of them; figures are medians of the rounds, differences those within a round.
/// </summary>
internal static class DeviceReport
{
    private static readonly JsonSerializerOptions s_json = new() { WriteIndented = true, IndentSize = 1, PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull };

    /// <summary>Nanoseconds that the threads of all cases had a core, and that they stood ready without one.</summary>
    private static double s_computed, s_waited;

    public static int Run(string[] arguments)
    {
        int rounds = int.Parse(Value(arguments, "--rounds") ?? "15", CultureInfo.InvariantCulture);
        List<object> records = [.. Sums(rounds), .. Steps(rounds)];
        foreach (object record in records) Console.WriteLine(JsonSerializer.Serialize(record, new JsonSerializerOptions(s_json) { WriteIndented = false }));
        if (Value(arguments, "--json") is not { } file) return 0;
        var report = new { Machine = Machine(), Command = $"dotnet run -c Release --project bench -- devices --rounds {rounds}", Records = records };
        File.WriteAllText(file, JsonSerializer.Serialize(report, s_json) + "\n");
        return 0;
    }

    private static string? Value(string[] arguments, string option) =>
        Array.IndexOf(arguments, option) is var at and >= 0 ? arguments[at + 1] : null;

    private static List<object> Sums(int rounds)
    {
        (int Devices, Connection Connection)[] cases = [(2, Connection.Memory), (4, Connection.Memory), (2, Connection.Tcp)];
        DeviceSums[] sums = [.. cases.Select(one => new DeviceSums(one.Devices, one.Connection))];
        Samples[] times = Measure(rounds, [sums[0].Copy, .. sums.Select(one => (Action)one.Sum)]);
        foreach (DeviceSums one in sums) one.Dispose();
        List<object> records = [new { Case = "copy of 64 MiB", Devices = 1, times[0].Milliseconds, times[0].Fastest, times[0].Count, GigabytesPerSecond = times[0].Rate }];
        foreach ((int i, (int devices, Connection connection)) in cases.Index())
        {
            Samples time = times[i + 1];
            records.Add(new { Case = "sum of 64 MiB", Devices = devices, Connection = $"{connection}", time.Milliseconds, time.Fastest, time.Count, GigabytesPerSecond = time.Rate, ShareOfCopyRate = time.Rate / times[0].Rate });
        }
        return records;
    }

    private static List<object> Steps(int rounds)
    {
        using DeviceSteps one = new(1), two = new(2);
        Connection[] connections = [Connection.Memory, Connection.Tcp, Connection.Network];
        Action With(Connection connection, bool sums, Action work) => () =>
        {
            (two.Mode.Connection, two.Mode.SumsGradients) = (connection, sums);
            work();
        };
        Samples[] times = Measure(rounds, [one.Step, .. connections.SelectMany(connection =>
            new[] { With(connection, true, two.Step), With(connection, false, two.Step), With(connection, true, two.Sums) })]);
        List<object> records = [new { Case = "step", Devices = 1, Threads = 2, times[0].Milliseconds, times[0].Fastest, times[0].Count }];
        foreach ((int i, Connection connection) in connections.Index())
        {
            (Samples with, Samples without, Samples alone) = (times[3 * i + 1], times[3 * i + 2], times[3 * i + 3]);
            records.Add(new
            {
                Case = "step",
                Devices = 2,
                Threads = 2,
                Connection = $"{connection}",
                with.Milliseconds,
                with.Fastest,
                with.Count,
                MillisecondsWithoutSums = without.Milliseconds,
                MillisecondsMoreThanWithoutSums = with.Beyond(without),
                MillisecondsOfSumsAlone = alone.Milliseconds,
                MegabytesOfGradients = two.Gradients * sizeof(float) / 1e6,
                // Sums in memory take less time than steps differ from round to round.
                HiddenShareOfSums = connection == Connection.Memory ? (double?)null : 1 - with.Beyond(without) / alone.Milliseconds,
                SpeedBesideOneDevice = times[0].Milliseconds / with.Milliseconds,
            });
        }
        return records;
    }

    private static Samples[] Measure(int rounds, Action[] cases)
    {
        foreach (Action one in cases) one();
        double[][] times = [.. cases.Select(_ => new double[rounds])];
        (double computed, double waited) = Processor();
        for (int round = 0; round < rounds; round++)
            foreach ((int i, Action one) in cases.Index())
            {
                long start = Stopwatch.GetTimestamp();
                one();
                times[i][round] = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
            }
        (double computedAtEnd, double waitedAtEnd) = Processor();
        (s_computed, s_waited) = (s_computed + computedAtEnd - computed, s_waited + waitedAtEnd - waited);
        return [.. times.Select(each => new Samples(each))];
    }

    private static (double Computed, double Waited) Processor()
    {
        double[][] threads = [.. Directory.EnumerateDirectories("/proc/self/task").Select(thread =>
            File.ReadAllText(thread + "/schedstat").Split(' ').Take(2).Select(number => double.Parse(number, CultureInfo.InvariantCulture)).ToArray())];
        return (threads.Sum(thread => thread[0]), threads.Sum(thread => thread[1]));
    }

    private static object Machine() => new
    {
        Processor = File.ReadLines("/proc/cpuinfo").FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal))?.Split(':')[1].Trim() ?? "",
        VectorBits = CpuInfo.VectorBits,
        Cores = Environment.ProcessorCount,
        Date = $"{DateTime.UtcNow:yyyy-MM-dd}",
        Load = double.Parse(File.ReadAllText("/proc/loadavg").Split(' ')[0], CultureInfo.InvariantCulture),
        Waited = s_waited / (s_waited + s_computed),
    };

    /// <summary>Times in milliseconds, one of each round.</summary>
    private sealed record Samples(double[] Times)
    {
        public int Count => Times.Length;

        public double Fastest => Times.Min();

        public double Milliseconds => Median(Times);

        /// <summary>Gigabytes per second, if <see cref="DeviceSums.Bytes"/> were worked on.</summary>
        public double Rate => DeviceSums.Bytes / Milliseconds / 1e6;

        /// <summary>How much more time this takes than another case does in the same round.</summary>
        public double Beyond(Samples other) => Median([.. Times.Zip(other.Times, (own, theirs) => own - theirs)]);

        private static double Median(double[] values)
        {
            double[] sorted = [.. values.Order()];
            return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
        }
    }
}
