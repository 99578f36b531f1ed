using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Lavt.Data;
using Lavt.Imaging;
using Lavt.Text;
using Xunit;

namespace Lavt.Tests.Data;

public class LoaderTests
{
    private static readonly BertTokenizer s_tokenizer = BertTokenizer.Load(DataGolden.Path("tokenizer"));

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Batches_do_not_depend_on_the_number_of_threads(int threads)
    {
        ReferDataset dataset = Golden("train");
        SampleChoice[] plan = [.. Enumerable.Range(0, 6).SelectMany(epoch => dataset.TrainingPlan(3, epoch))];
        List<string> alone = Hashes(new BatchLoader(dataset, 4, 0), plan, dropLast: true);
        Assert.Equal(10, alone.Count);
        Assert.Equal(alone, Hashes(new BatchLoader(dataset, 4, threads), plan, dropLast: true));
        Assert.Equal(alone, Hashes(new BatchLoader(dataset, 4, threads, lookAhead: 5), plan, dropLast: true));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public void A_reading_can_begin_anywhere(int threads)
    {
        ReferDataset dataset = Golden("train");
        SampleChoice[] plan = dataset.TrainingPlan(3, 1);
        BatchLoader loader = new(dataset, 2, threads);
        List<string> all = Hashes(loader, plan, dropLast: false);
        Assert.Equal(4, all.Count);
        for (int first = 0; first <= 4; first++)
            Assert.Equal(all[first..], [.. loader.Read(plan, dropLast: false, first).Select(Hash)]);
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(0, 2)]
    [InlineData(2, 2)]
    [InlineData(3, 4)]
    public void Batches_that_are_held_stay_as_they_are(int threads, int held)
    {
        ReferDataset dataset = Golden("train");
        SampleChoice[] plan = [.. Enumerable.Range(0, 6).SelectMany(epoch => dataset.TrainingPlan(3, epoch))];
        BatchLoader loader = new(dataset, 4, threads, lookAhead: 2, held);
        Queue<(Batch Batch, string Hash)> inUse = [];
        foreach (Batch batch in loader.Read(plan, dropLast: false))
        {
            if (inUse.Count == held) inUse.Dequeue();
            inUse.Enqueue((batch, Hash(batch)));
            Thread.Sleep(20);
            Assert.All(inUse, one => Assert.Equal(one.Hash, Hash(one.Batch)));
        }
        Assert.Equal(held, inUse.Select(one => one.Batch).Distinct().Count());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public void Evaluation_reads_every_sentence_in_order(int threads)
    {
        ReferDataset dataset = Golden("val");
        List<SampleChoice> seen = [];
        foreach (Batch batch in new BatchLoader(dataset, 4, threads).Read(dataset.EvaluationPlan(), dropLast: false))
        {
            for (int item = 0; item < batch.Count; item++)
            {
                SampleChoice choice = batch.Choices[item];
                seen.Add(choice);
                Tokens tokens = s_tokenizer.Encode(dataset[choice.Sample].Sentences[choice.Sentence].Raw, 20);
                Assert.Equal(tokens.Ids, batch.TokenIds.Slice(item * 20, 20).ToArray());
                Assert.Equal(tokens.Count, batch.TokenMask.Slice(item * 20, 20).Count((byte)1));
                Assert.Equal((50, 90), (batch.Truth(item).Rows, batch.Truth(item).Columns));
                AssertLoaded(dataset, batch, item);
            }
        }
        Assert.Equal(dataset.EvaluationPlan(), seen);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(3)]
    public void The_first_broken_sample_of_the_plan_ends_the_reading(int threads)
    {
        using DataGolden.TemporaryFolder root = ReferTests.DamagedSet("", "");
        ReferData data = ReferData.Load(root.Folder, "refcoco", "unc");
        File.WriteAllBytes(data.PicturePath(data.Split("train")[2]), []);
        File.Delete(data.PicturePath(data.Split("train")[5]));
        ReferDataset dataset = new(data, "train", s_tokenizer, 32, 20);
        List<int> seen = [];
        DataException failure = Assert.Throws<DataException>(() =>
        {
            foreach (Batch batch in new BatchLoader(dataset, 2, threads).Read(dataset.EvaluationPlan(), dropLast: false)) seen.Add(batch.Index);
        });
        Assert.Equal([0, 1], seen);
        Assert.Contains("ref 2, ann 110, image 2: the file is empty", failure.Message);
    }

    [Fact]
    public void An_item_takes_another_sentence()
    {
        ReferDataset dataset = Golden("val");
        Batch batch = new BatchLoader(dataset, 3, 0).Read(dataset.EvaluationPlan(), dropLast: false).First();
        Tokens other = s_tokenizer.Encode("the blue one", 20);
        int[] first = batch.TokenIds[..20].ToArray();
        batch.UseSentence(1, other);
        Assert.Equal(other.Ids, batch.TokenIds[20..40].ToArray());
        Assert.Equal(other.Count, batch.TokenMask[20..(20 + other.Count)].Count((byte)1));
        Assert.Equal(20 - other.Count, batch.TokenMask[(20 + other.Count)..40].Count((byte)0));
        Assert.Equal(first, batch.TokenIds[..20].ToArray());
        Assert.Throws<ArgumentOutOfRangeException>(() => batch.UseSentence(3, other));
        Assert.Throws<ArgumentOutOfRangeException>(() => batch.UseSentence(0, s_tokenizer.Encode("the blue one", 22)));
    }

    [Fact]
    public void Nothing_large_is_allocated_for_later_batches()
    {
        ReferDataset dataset = Golden("train", 240);
        BatchLoader loader = new(dataset, 4, 0);
        SampleChoice[] plan = [.. Enumerable.Range(0, 8).SelectMany(epoch => dataset.TrainingPlan(3, epoch))];
        long before = 0, after = 0;
        foreach (Batch batch in loader.Read(plan, dropLast: true))
        {
            after = GC.GetAllocatedBytesForCurrentThread();
            if (batch.Index == 4) before = after;
        }
        long perBatch = (after - before) / 9;
        Assert.InRange(perBatch, 1, 100_000);
    }

    [Fact]
    public void A_reading_may_be_left_early()
    {
        ReferDataset dataset = Golden("train");
        BatchLoader loader = new(dataset, 1, 3);
        for (int round = 0; round < 20; round++) Assert.Equal(0, loader.Read(dataset.TrainingPlan(1, round), dropLast: true).First().Index);
    }

    [Theory]
    [InlineData(7, 2, true, 3)]
    [InlineData(7, 2, false, 4)]
    [InlineData(8, 2, false, 4)]
    [InlineData(1, 2, true, 0)]
    [InlineData(0, 2, false, 0)]
    public void Batches_are_counted(int items, int size, bool dropLast, int expected) =>
        Assert.Equal(expected, new BatchLoader(Golden("train"), size, 0).BatchCount(items, dropLast));

    private static ReferDataset Golden(string split, int size = 32) => new(ReferData.Load(ReferTests.Root, "refcoco", "unc"), split, s_tokenizer, size, 20);

    private static void AssertLoaded(ReferDataset dataset, Batch batch, int item)
    {
        int plane = dataset.ImageSize * dataset.ImageSize;
        float[] picture = new float[3 * plane];
        byte[] mask = new byte[plane];
        Mask truth = new();
        new SampleReader().Read(dataset, batch.Choices[item].Sample, picture, mask, truth);
        Assert.True(batch.Pictures.Slice(item * 3 * plane, 3 * plane).SequenceEqual(picture));
        Assert.True(batch.Masks.Slice(item * plane, plane).SequenceEqual(mask));
        Assert.True(batch.Truth(item).Pixels.SequenceEqual(truth.Pixels));
    }

    private static List<string> Hashes(BatchLoader loader, SampleChoice[] plan, bool dropLast) => [.. loader.Read(plan, dropLast).Select(Hash)];

    private static string Hash(Batch batch)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(MemoryMarshal.AsBytes(batch.Pictures));
        hash.AppendData(batch.Masks);
        hash.AppendData(MemoryMarshal.AsBytes(batch.TokenIds));
        hash.AppendData(batch.TokenMask);
        hash.AppendData(MemoryMarshal.AsBytes(batch.Choices));
        return $"{batch.Index}: {Convert.ToHexString(hash.GetHashAndReset())}";
    }
}
