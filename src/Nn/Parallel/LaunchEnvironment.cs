using System.Globalization;
using Lavt.Kernels.Cuda.Driver;

namespace Lavt.Nn.Parallel;

/// <summary>How the processes of a job find each other.</summary>
public enum Meeting
{
    /// <summary>There is one process.</summary>
    None,

    /// <summary>Through MPI.</summary>
    Mpi,

    /// <summary>Over TCP, at the address of process 0.</summary>
    Tcp,
}

/// <summary>What the launcher of a job told this process through the environment: <c>mpirun</c>, <c>srun</c>, or <c>torchrun</c>'s variables.</summary>
/// <param name="Meeting">How the processes find each other.</param>
/// <param name="Rank">The number of this process, from 0.</param>
/// <param name="Size">The number of processes.</param>
/// <param name="LocalRank">The number of this process among those of its host.</param>
/// <param name="LocalSize">The number of processes on this host.</param>
/// <param name="Address">The host of process 0; empty without TCP.</param>
/// <param name="Port">The port of process 0; 0 without TCP.</param>
public sealed record LaunchEnvironment(Meeting Meeting, int Rank, int Size, int LocalRank, int LocalSize, string Address, int Port)
{
    /// <summary>A process of its own.</summary>
    public static readonly LaunchEnvironment Single = new(Meeting.None, 0, 1, 0, 1, "", 0);

    /// <summary>Reads the environment of this process.</summary>
    /// <exception cref="CommunicationException">Variables are missing or make no sense.</exception>
    public static LaunchEnvironment Read() => Read(Environment.GetEnvironmentVariable);

    /// <summary>Reads an environment.</summary>
    /// <param name="variable">The value of a variable; null if it is not set.</param>
    /// <exception cref="CommunicationException">Variables are missing or make no sense.</exception>
    public static LaunchEnvironment Read(Func<string, string?> variable)
    {
        ArgumentNullException.ThrowIfNull(variable);
        if (variable("OMPI_COMM_WORLD_SIZE") is not null)
            return Mpi(variable, "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE");
        // Only a step of srun with a PMI has both; a batch script, which is one process, has no PMIX_RANK.
        if (variable("PMIX_RANK") is not null && variable("SLURM_NTASKS") is not null)
            return Mpi(variable, "SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID", "SLURM_TASKS_PER_NODE");
        return variable("WORLD_SIZE") is null ? Single : Tcp(variable);
    }

    private static LaunchEnvironment Mpi(Func<string, string?> variable, string rank, string size, string localRank, string localSize)
    {
        int processes = Number(variable, size);
        return processes == 1
            ? Single
            // SLURM writes the tasks of its nodes as 2(x3),1.
            : new(Meeting.Mpi, Number(variable, rank), processes, Number(variable, localRank), Number(name => variable(name)?.Split('(', ',')[0], localSize), "", 0);
    }

    private static LaunchEnvironment Tcp(Func<string, string?> variable)
    {
        int size = Number(variable, "WORLD_SIZE"), rank = Number(variable, "RANK");
        if (size == 1) return Single;
        if (size < 1 || rank >= size)
            throw new CommunicationException($"RANK is {rank} and WORLD_SIZE is {size}; ranks are 0 to WORLD_SIZE - 1");
        if (variable("MASTER_ADDR") is not { Length: > 0 } address)
            throw new CommunicationException("WORLD_SIZE is set but MASTER_ADDR is not; set it to the host of rank 0 on all hosts, or unset WORLD_SIZE to run alone");
        int localRank = variable("LOCAL_RANK") is null ? 0 : Number(variable, "LOCAL_RANK");
        int localSize = variable("LOCAL_WORLD_SIZE") is null ? localRank + 1 : Number(variable, "LOCAL_WORLD_SIZE");
        return new(Meeting.Tcp, rank, size, localRank, localSize, address, Number(variable, "MASTER_PORT"));
    }

    private static int Number(Func<string, string?> variable, string name)
    {
        string? text = variable(name);
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int value)
            ? value
            : throw new CommunicationException($"the environment variable {name} must be a number, got {(text is null ? "nothing" : $"'{text}'")}; the launcher sets it (mpirun, srun or torchrun)");
    }

    /// <summary>Joins the processes of the job.</summary>
    /// <param name="lost">Called once, on another thread, when another process is gone (TCP only; mpirun ends a job by itself).</param>
    /// <param name="gpu">The GPU of this process, which NCCL connects with the others' when a tensor on it first goes round; null for CPUs.</param>
    /// <exception cref="CommunicationException">The processes cannot reach each other.</exception>
    /// <exception cref="DllNotFoundException">MPI is needed and not installed.</exception>
    public CollectiveQueue Join(Action<string> lost, CudaDevice? gpu = null)
    {
        Func<ICommunicator, IGpuCommunicator>? connectGpus = gpu is null ? null : processes => new NcclCommunicator(processes, gpu);
        return Meeting switch
        {
            Meeting.Mpi => new CollectiveQueue(() => new MpiCommunicator(), connectGpus),
            Meeting.Tcp => new CollectiveQueue(() => new TcpCommunicator(Address, Port, Rank, Size, lost), connectGpus),
            _ => new CollectiveQueue(),
        };
    }

    /// <summary>
    /// The number of the GPU that this process takes of those that it sees: that of its place on the host, or the only one, where the
    /// launcher shows each process its own.
    /// </summary>
    /// <exception cref="CommunicationException">The host has more processes than GPUs.</exception>
    public int GpuOf(int visible) => visible == 1
        ? 0
        : LocalRank < visible ? LocalRank
        : throw new CommunicationException($"process {LocalRank} of this host finds {visible} {(visible == 1 ? "GPU" : "GPUs")}; start at most one process per GPU");
}
