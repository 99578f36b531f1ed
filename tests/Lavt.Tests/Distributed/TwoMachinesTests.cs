using Lavt.Tests.Training;
using Xunit;

namespace Lavt.Tests.Distributed;

/// <summary>Training on two machines gives the bits of two processes on one, and a network that is cut off ends it.</summary>
public sealed class TwoMachinesTests(SmallRun run, TwoMachines machines) : IClassFixture<SmallRun>, IClassFixture<TwoMachines>
{
    private const int Port = 29500;
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan s_endsWithin = TimeSpan.FromSeconds(15);

    private string Flags(string name, int epochs) =>
        $"{run.Flags} --batch-size 2 --epochs {epochs} --print-freq 1 --threads 1 --output-dir {run.Folder} --model_id {name}";

    private Job[] Start(string name, int epochs) =>
        [.. Enumerable.Range(0, 2).Select(rank => Job.Tcp(rank, 2, TwoMachines.Address(0), Port, run.Folder, Flags(name, epochs), machines.On(rank)))];

    [Fact]
    public void Machines_that_meet_over_tcp_and_by_mpirun_train_as_processes_of_one()
    {
        Assert.SkipWhen(machines.Missing is not null, $"no network namespaces: {machines.Missing}");
        using (Job one = Job.Tcp(0, 2, "127.0.0.1", Port, run.Folder, Flags("near", 1)), two = Job.Tcp(1, 2, "127.0.0.1", Port, run.Folder, Flags("near", 1)))
            Assert.True(one.End(s_patience) == 0 && two.End(s_patience) == 0, one.Printed + two.Printed);
        Dictionary<string, object?> expected = CheckpointContents.Of(run.PathOf("model_last_near.pth"));
        Job[] jobs = Start("far", 1);
        Assert.All(jobs, job => Assert.True(job.End(s_patience) == 0, job.Printed));
        Assert.Equal(expected, CheckpointContents.Of(run.PathOf("model_last_far.pth")));
        foreach (Job job in jobs) job.Dispose();

        Assert.SkipUnless(MpiTests.IsInstalled, MpiTests.InstallAdvice);
        using Job mpi = Job.Start([.. machines.Mpirun(), Job.Program, "train"], run.Folder, Flags("mpi", 1));
        Assert.True(mpi.End(s_patience) == 0, mpi.Printed);
        Assert.Equal(expected, CheckpointContents.Of(run.PathOf("model_last_mpi.pth")));
    }

    [Fact]
    public void A_network_that_is_cut_off_ends_all_within_fifteen_seconds()
    {
        Assert.SkipWhen(machines.Missing is not null, $"no network namespaces: {machines.Missing}");
        Job[] jobs = Start("cut", 500);
        jobs[0].WaitFor("loss", 3);
        machines.Cut();
        try
        {
            foreach ((int rank, Job job) in jobs.Index())
            {
                Assert.Equal(Lavt.Cli.ExitCode.Distributed, job.End(s_endsWithin));
                Assert.Contains($"rank {1 - rank} is gone", job.Printed, StringComparison.Ordinal);
            }
        }
        finally
        {
            machines.Mend();
            foreach (Job job in jobs) job.Dispose();
        }
    }
}
