using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Lavt.Nn.Parallel;
using Lavt.Tensors;
using Xunit;

namespace Lavt.Tests.Distributed;

/// <summary>What every communicator promises, on threads of this process: through shared memory and over TCP.</summary>
public sealed unsafe class CommunicatorTests
{
    public static TheoryData<string, int> Groups => new()
    {
        { "local", 1 }, { "local", 2 }, { "local", 3 }, { "local", 4 },
        { "tcp", 2 }, { "tcp", 4 },
    };

    [Theory]
    [MemberData(nameof(Groups))]
    public void Sums_are_those_of_a_plain_loop_in_the_order_of_ranks(string kind, int size)
    {
        foreach (int count in new[] { 0, 1, 7, 16, 63, 1000, 700_001 })
        {
            float[] expected = Numbers(0, count);
            for (int rank = 1; rank < size; rank++)
                foreach ((int i, float value) in Numbers(rank, count).Index()) expected[i] += value;
            foreach (float[] found in Each(kind, size, member =>
            {
                float[] own = Numbers(member.Rank, count);
                fixed (float* pointer = own) member.Sum(pointer, count);
                return own;
            }))
            {
                Assert.Equal(expected, found);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Groups))]
    public void Doubles_bytes_and_arrays_of_any_length_go_round(string kind, int size)
    {
        Each(kind, size, member =>
        {
            double[] numbers = [member.Rank, 1e-9 * member.Rank];
            fixed (double* pointer = numbers) member.Sum(pointer, 2);
            Assert.Equal(size * (size - 1) / 2, numbers[0]);
            for (int root = 0; root < size; root++)
            {
                byte[] bytes = new byte[3_000_001];
                if (member.Rank == root) bytes.AsSpan().Fill((byte)(root + 1));
                fixed (byte* pointer = bytes) member.Broadcast(pointer, bytes.Length, root);
                Assert.True(bytes.All(value => value == root + 1));
            }
            byte[][] all = member.Gather(Enumerable.Repeat((byte)member.Rank, 10 * member.Rank).ToArray());
            Assert.Equal(Enumerable.Range(0, size).Select(rank => 10 * rank), all.Select(part => part.Length));
            Assert.All(all.Index(), part => Assert.All(part.Item, value => Assert.Equal(part.Index, value)));
            member.Barrier();
            return 0;
        });
    }

    [Theory]
    [InlineData("local")]
    [InlineData("tcp")]
    public void When_one_member_fails_the_others_say_so_at_once(string kind)
    {
        var messages = new ConcurrentBag<string>();
        Each(kind, 3, member =>
        {
            member.Barrier();
            if (member.Rank == 1)
            {
                member.Abort("rank 1 has no memory left");
                return 0;
            }
            messages.Add(Assert.Throws<CommunicationException>(member.Barrier).Message);
            return 0;
        });
        Assert.Equal(["rank 1 has no memory left", "rank 1 has no memory left"], messages);
    }

    [Fact]
    public void A_process_that_is_gone_is_noticed_while_nobody_listens()
    {
        int port = FreePort();
        using var lost = new BlockingCollection<string>();
        Socket? socket = null;
        var connecting = new Thread(() =>
        {
            socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
            while (true)
            {
                try
                {
                    socket.Connect("127.0.0.1", port);
                    break;
                }
                catch (SocketException)
                {
                    Thread.Sleep(20);
                }
            }
            socket.Send([.. BitConverter.GetBytes(0x4C415654), .. BitConverter.GetBytes(1), .. BitConverter.GetBytes(2)]);
        });
        connecting.Start();
        using var zero = new TcpCommunicator("127.0.0.1", port, 0, 2, lost.Add);
        connecting.Join();
        Assert.False(lost.TryTake(out _, 1500));
        socket!.Dispose();
        Assert.True(lost.TryTake(out string? message, 5000));
        Assert.Contains("rank 1 is gone", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Ranks_that_do_not_come_are_named()
    {
        CommunicationException error = Assert.Throws<CommunicationException>(() => new TcpCommunicator("127.0.0.1", FreePort(), 0, 3, null, TimeSpan.FromSeconds(0.3)));
        Assert.Contains("ranks 1, 2", error.Message, StringComparison.Ordinal);
        error = Assert.Throws<CommunicationException>(() => new TcpCommunicator("127.0.0.1", FreePort(), 1, 2, null, TimeSpan.FromSeconds(0.3)));
        Assert.Contains("MASTER_ADDR", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_device_that_fails_ends_all_and_its_error_is_the_one_that_is_shown()
    {
        OutOfMemoryException error = Assert.Throws<OutOfMemoryException>(() => DeviceThreads.Run(3, 3, devices =>
        {
            devices.Barrier();
            if (devices.Rank == 2) throw new OutOfMemoryException("no memory for 3 GiB");
            devices.Barrier();
        }));
        Assert.Equal("no memory for 3 GiB", error.Message);
    }

    [Fact]
    public void Operations_of_a_queue_run_in_order_beside_the_computation()
    {
        DeviceThreads.Run(2, 2, devices =>
        {
            float[] first = [1, 2], second = [10, 20];
            fixed (float* a = first, b = second)
            {
                (nint addressA, nint addressB) = ((nint)a, (nint)b);
                CollectiveQueue.Operation one = devices.Start(member => member.Sum((float*)addressA, 2));
                CollectiveQueue.Operation two = devices.Start(member => member.Sum((float*)addressB, 2));
                Assert.True(devices.Any(devices.Rank == 1));
                Assert.False(devices.Any(false));
                two.Wait();
                one.Wait();
            }
            Assert.Equal([2, 4], first);
            Assert.Equal([20, 40], second);
        });
    }

    [Fact]
    public void The_environment_says_how_processes_meet()
    {
        static LaunchEnvironment Read(params (string Name, string Value)[] variables) =>
            LaunchEnvironment.Read(name => variables.FirstOrDefault(variable => variable.Name == name).Value);

        Assert.Equal(LaunchEnvironment.Single, Read());
        Assert.Equal(LaunchEnvironment.Single, Read(("SLURM_NTASKS", "4"), ("SLURM_PROCID", "0")));
        Assert.Equal(
            new LaunchEnvironment(Meeting.Mpi, 3, 4, 1, 2, "", 0),
            Read(("OMPI_COMM_WORLD_RANK", "3"), ("OMPI_COMM_WORLD_SIZE", "4"), ("OMPI_COMM_WORLD_LOCAL_RANK", "1"), ("OMPI_COMM_WORLD_LOCAL_SIZE", "2")));
        Assert.Equal(
            new LaunchEnvironment(Meeting.Mpi, 2, 6, 0, 2, "", 0),
            Read(("PMIX_RANK", "2"), ("SLURM_PROCID", "2"), ("SLURM_NTASKS", "6"), ("SLURM_LOCALID", "0"), ("SLURM_TASKS_PER_NODE", "2(x3)")));
        Assert.Equal(
            new LaunchEnvironment(Meeting.Tcp, 1, 2, 0, 1, "10.0.0.1", 29500),
            Read(("RANK", "1"), ("WORLD_SIZE", "2"), ("LOCAL_RANK", "0"), ("MASTER_ADDR", "10.0.0.1"), ("MASTER_PORT", "29500")));
        Assert.Contains("MASTER_ADDR", Assert.Throws<CommunicationException>(() => Read(("RANK", "1"), ("WORLD_SIZE", "2"))).Message, StringComparison.Ordinal);
        Assert.Contains("RANK", Assert.Throws<CommunicationException>(() => Read(("WORLD_SIZE", "2"))).Message, StringComparison.Ordinal);
    }

    /// <summary>Numbers of very different sizes, so that the order of a sum shows.</summary>
    private static float[] Numbers(int rank, int count) =>
        [.. Enumerable.Range(0, count).Select(i => (Philox.Uniform(1, (ulong)rank, (ulong)i) - 0.5f) * MathF.Pow(10, i % 9 - 4))];

    private static T[] Each<T>(string kind, int size, Func<ICommunicator, T> work)
    {
        using var group = new LocalGroup(size);
        int port = FreePort();
        var results = new T[size];
        var failures = new ConcurrentBag<Exception>();
        Thread[] threads = [.. Enumerable.Range(0, size).Select(rank => new Thread(() =>
        {
            try
            {
                using ICommunicator member = kind == "local" ? group.Member(rank) : new TcpCommunicator("127.0.0.1", port, rank, size);
                results[rank] = work(member);
            }
            catch (Exception error)
            {
                failures.Add(error);
            }
        }))];
        foreach (Thread thread in threads) thread.Start();
        foreach (Thread thread in threads) thread.Join();
        Assert.Empty(failures);
        return results;
    }

    private static int FreePort()
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }
}
