using System.Buffers.Binary;
using Google.Protobuf;
using Lavt.Nn.Logging;
using Xunit;

namespace Lavt.Tests.Nn;

public class TensorBoardTests
{
    [Fact]
    public void Events_are_read_back()
    {
        using WeightTestFiles.TemporaryFolder folder = WeightTestFiles.NewFolder();
        Clock clock = new(1_700_000_000.25);
        using TensorBoardWriter writer = new(folder.File("run"), clock);
        writer.Scalar("train/loss", 0.5, 0);
        clock.Now += 1.5;
        writer.Scalar("größe", double.NaN, 5_000_000_000);
        writer.Dispose();

        Event[] events = Read(File.ReadAllBytes(writer.FilePath));
        Assert.Equal(3, events.Length);
        Assert.Equal(new Event(1_700_000_000.25, 0, "brain.Event:2", "", 0), events[0]);
        Assert.Equal(new Event(1_700_000_000.25, 0, "", "train/loss", 0.5f), events[1]);
        Assert.Equal(new Event(1_700_000_001.75, 5_000_000_000, "", "größe", float.NaN), events[2]);
    }

    [Fact]
    public void Files_follow_the_convention_and_never_touch_each_other()
    {
        using WeightTestFiles.TemporaryFolder folder = WeightTestFiles.NewFolder();
        Clock clock = new(1_700_000_000);
        using TensorBoardWriter first = new(folder.Path, clock), second = new(folder.Path, clock);
        Assert.StartsWith($"events.out.tfevents.1700000000.{Environment.MachineName}.{Environment.ProcessId}.", Path.GetFileName(first.FilePath));
        Assert.NotEqual(first.FilePath, second.FilePath);
    }

    [Fact]
    public void Readers_see_events_after_a_flush_and_after_a_while()
    {
        using WeightTestFiles.TemporaryFolder folder = WeightTestFiles.NewFolder();
        Clock clock = new(1_700_000_000);
        using TensorBoardWriter writer = new(folder.Path, clock);
        int Visible()
        {
            using FileStream file = new(writer.FilePath, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            byte[] bytes = new byte[file.Length];
            file.ReadExactly(bytes);
            return Read(bytes).Length;
        }

        Assert.Equal(1, Visible());
        writer.Scalar("a", 1, 1);
        Assert.Equal(1, Visible());
        writer.Flush();
        Assert.Equal(2, Visible());
        writer.Scalar("a", 1, 2);
        clock.Now += TensorBoardWriter.FlushSeconds;
        writer.Scalar("a", 1, 3);
        Assert.Equal(4, Visible());
    }

    [Fact]
    public void Threads_do_not_mix_their_records()
    {
        using WeightTestFiles.TemporaryFolder folder = WeightTestFiles.NewFolder();
        TensorBoardWriter writer = new(folder.Path);
        Parallel.For(0, 8, thread =>
        {
            for (int i = 0; i < 200; i++) writer.Scalar($"t{thread}", i, i);
        });
        writer.Dispose();
        Event[] events = Read(File.ReadAllBytes(writer.FilePath));
        for (int thread = 0; thread < 8; thread++)
            Assert.Equal(Enumerable.Range(0, 200).Select(i => (long)i), events.Where(e => e.Tag == $"t{thread}").Select(e => e.Step));
    }

    [Fact]
    public void The_checksum_is_the_published_one()
    {
        // Check value of CRC-32C, masked by hand.
        uint crc = 0xE3069283;
        Assert.Equal(((crc >> 15) | (crc << 17)) + 0xa282ead8, TensorBoardRecord.MaskedChecksum("123456789"u8));
    }

    private static Event[] Read(byte[] bytes)
    {
        List<Event> events = [];
        for (int at = 0; at < bytes.Length;)
        {
            int length = (int)BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(at));
            Assert.Equal(Masked(bytes.AsSpan(at, 8)), BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at + 8)));
            byte[] data = bytes[(at + 12)..(at + 12 + length)];
            Assert.Equal(Masked(data), BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at + 12 + length)));
            events.Add(Parse(data));
            at += 16 + length;
        }
        return [.. events];
    }

    private static Event Parse(byte[] data)
    {
        Event found = new(0, 0, "", "", 0);
        CodedInputStream input = new(data);
        for (uint tag; (tag = input.ReadTag()) != 0;)
        {
            found = WireFormat.GetTagFieldNumber(tag) switch
            {
                1 => found with { WallTime = input.ReadDouble() },
                2 => found with { Step = input.ReadInt64() },
                3 => found with { Version = input.ReadString() },
                5 => ParseSummary(found, input.ReadBytes().CreateCodedInput()),
                int other => throw new InvalidDataException($"field {other}"),
            };
        }
        return found;
    }

    private static Event ParseSummary(Event found, CodedInputStream summary)
    {
        Assert.Equal(1, WireFormat.GetTagFieldNumber(summary.ReadTag()));
        CodedInputStream value = summary.ReadBytes().CreateCodedInput();
        Assert.True(summary.IsAtEnd);
        Assert.Equal(1, WireFormat.GetTagFieldNumber(value.ReadTag()));
        found = found with { Tag = value.ReadString() };
        Assert.Equal(2, WireFormat.GetTagFieldNumber(value.ReadTag()));
        return found with { Value = value.ReadFloat() };
    }

    /// <summary>CRC-32C bit by bit from its polynomial, then the mask.</summary>
    private static uint Masked(ReadOnlySpan<byte> data)
    {
        uint crc = uint.MaxValue;
        foreach (byte value in data)
        {
            crc ^= value;
            for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ ((crc & 1) * 0x82F63B78);
        }
        crc = ~crc;
        return ((crc >> 15) | (crc << 17)) + 0xa282ead8;
    }

    private sealed record Event(double WallTime, long Step, string Version, string Tag, float Value);

    private sealed class Clock(double now) : TimeProvider
    {
        public double Now { get; set; } = now;

        public override DateTimeOffset GetUtcNow() => DateTimeOffset.FromUnixTimeMilliseconds((long)(Now * 1000));

        public override long GetTimestamp() => (long)(Now * TimestampFrequency);
    }
}
