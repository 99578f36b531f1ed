using System.Buffers.Binary;
using System.Text;
using Lavt.Training;
using Xunit;

namespace Lavt.Tests.Training;

public sealed class TrainingLogTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("lavt-log-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static StepRecord Step(long step, double loss = 0.5) =>
        new() { Step = step, Epoch = 0, Loss = loss, LearningRate = 1e-3, Seconds = 0.25, DataSeconds = 0, MemoryMiB = 100 };

    [Fact]
    public void Lines_come_back_as_they_were_written()
    {
        var validation = new ValidationRecord { Step = 2, Epoch = 0, Sentences = 9, MeanIou = 41.5, OverallIou = 43.25, IsBest = true };
        using (var log = new TrainingLog(_folder, 0))
        {
            log.Add(Step(1));
            log.Add(Step(2, double.NaN));
            log.Add(validation);
        }
        Assert.Equal([Step(1), Step(2, double.NaN)], TrainingLog.ReadSteps(_folder));
        Assert.Equal([validation], TrainingLog.ReadValidations(_folder));
    }

    [Fact]
    public void A_resumed_run_drops_what_it_will_do_again()
    {
        using (var log = new TrainingLog(_folder, 0))
        {
            for (int i = 1; i <= 5; i++)
                log.Add(Step(i));
        }
        File.AppendAllText(Path.Combine(_folder, "steps.jsonl"), "{\"step\": 6, \"ep");
        using (var log = new TrainingLog(_folder, 3))
            log.Add(Step(4, 0.25));
        Assert.Equal([1, 2, 3, 4], TrainingLog.ReadSteps(_folder).Select(step => step.Step));
        Assert.Equal(0.25, TrainingLog.ReadSteps(_folder)[^1].Loss);
    }

    [Fact]
    public void A_new_run_starts_a_new_log()
    {
        using (var log = new TrainingLog(_folder, 0))
            log.Add(Step(1));
        using (var log = new TrainingLog(_folder, 0))
            log.Add(Step(1, 2));
        Assert.Equal(2, Assert.Single(TrainingLog.ReadSteps(_folder)).Loss);
    }

    /// <summary>CRC-32C of "123456789" is 0xE3069283 (the check value of the algorithm's catalogue).</summary>
    [Fact]
    public void Checksums_are_masked_as_TFRecord_asks()
    {
        uint crc = 0xE3069283;
        Assert.Equal(((crc >> 15) | (crc << 17)) + 0xa282ead8, EventFile.MaskedChecksum("123456789"u8));
    }

    [Fact]
    public void Events_are_framed_records_with_tag_and_value()
    {
        string file;
        using (var events = new EventFile(_folder))
        {
            events.Add("train/loss", 300, 1.5);
            file = events.FilePath;
        }
        byte[] bytes = File.ReadAllBytes(file);
        List<byte[]> records = [];
        for (int at = 0; at < bytes.Length;)
        {
            int length = (int)BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(at));
            Assert.Equal(EventFile.MaskedChecksum(bytes.AsSpan(at, 8)), BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at + 8)));
            byte[] data = bytes[(at + 12)..(at + 12 + length)];
            Assert.Equal(EventFile.MaskedChecksum(data), BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at + 12 + length)));
            records.Add(data);
            at += 16 + length;
        }
        Assert.Equal(2, records.Count);
        Assert.Contains("brain.Event:2", Encoding.UTF8.GetString(records[0]), StringComparison.Ordinal);
        // wall_time: key and 8 bytes; step 300: key and the varint AC 02; summary: 19 bytes with one value of 17.
        byte[] value = [0x0a, 10, .. "train/loss"u8, 0x15, 0, 0, 0xc0, 0x3f];
        byte[] expected = [0x10, 0xac, 0x02, 0x2a, 19, 0x0a, 17, .. value];
        Assert.Equal(expected, records[1][9..]);
    }
}
