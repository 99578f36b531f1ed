namespace Lavt.Nn.Parallel;

/// <summary>
/// What the members of a group of devices do together. Every member calls the same operations in the same order, each from one
/// thread at a time; an operation returns when this member has its result. Sums are made in a fixed order, so that all members
/// have the same bits, in every run.
/// </summary>
/// <remarks>Addresses are those of host memory; what is in the memory of GPUs goes through <see cref="IGpuCommunicator"/>.</remarks>
public unsafe interface ICommunicator : IDisposable
{
    /// <summary>The number of this member, from 0. Member 0 writes files and speaks to the user.</summary>
    int Rank { get; }

    /// <summary>The number of members.</summary>
    int Size { get; }

    /// <summary>Replaces each of <paramref name="count"/> numbers by the sum over all members.</summary>
    /// <exception cref="CommunicationException">Another member failed or cannot be reached.</exception>
    void Sum(float* values, long count);

    /// <inheritdoc cref="Sum(float*, long)"/>
    void Sum(double* values, long count);

    /// <summary>Replaces <paramref name="count"/> bytes by those of member <paramref name="root"/>.</summary>
    /// <inheritdoc cref="Sum(float*, long)"/>
    void Broadcast(void* bytes, long count, int root);

    /// <summary>What every member gave, by its number; lengths may differ.</summary>
    /// <inheritdoc cref="Sum(float*, long)"/>
    byte[][] Gather(ReadOnlySpan<byte> bytes);

    /// <summary>Returns when all members have called it.</summary>
    /// <inheritdoc cref="Sum(float*, long)"/>
    void Barrier();

    /// <summary>Makes the other members' operations fail, now and from now on, because this member cannot go on; may be called on any thread.</summary>
    /// <param name="why">What happened, for the others' message.</param>
    void Abort(string why);
}
