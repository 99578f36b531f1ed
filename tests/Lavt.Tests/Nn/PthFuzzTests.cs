using System.Diagnostics;
using Lavt.Nn.Weights;
using Lavt.Tensors;
using Microsoft.Win32.SafeHandles;
using Xunit;

namespace Lavt.Tests.Nn;

/// <summary>Damaged files end in an error that names them, never in another exception, a hang or memory without bound.</summary>
public class PthFuzzTests(ITestOutputHelper output)
{
    private const long MaxManagedBytes = 8 << 20;
    private const long MaxMilliseconds = 5000;

    [Theory]
    [InlineData("checkpoints/dtypes_zip.pth")]
    [InlineData("checkpoints/dtypes_legacy.pth")]
    [InlineData("checkpoints/dtypes_expected.safetensors")]
    [InlineData("data/refer/refcoco/refs(unc).p")]
    [InlineData("data/refer/refcoco+/refs(unc).p")]
    public void Every_truncation_is_refused(string file)
    {
        byte[] whole = File.ReadAllBytes(WeightTestFiles.Golden(file));
        using Reader reader = new(file);
        for (int length = 0; length < whole.Length; length++)
            Assert.False(reader.Reads(whole.AsSpan(0, length)), $"{file} cut to {length} bytes was read");
        Assert.True(reader.Reads(whole));
    }

    [Theory]
    [InlineData("checkpoints/dtypes_zip.pth")]
    [InlineData("checkpoints/dtypes_legacy.pth")]
    [InlineData("checkpoints/malicious_zip.pth")]
    [InlineData("checkpoints/malicious_legacy.pth")]
    [InlineData("checkpoints/dtypes_expected.safetensors")]
    [InlineData("data/refer/refcoco/refs(unc).p")]
    [InlineData("data/refer/refcoco+/refs(unc).p")]
    public void Random_damage_gives_an_error_or_data(string file)
    {
        byte[] whole = File.ReadAllBytes(WeightTestFiles.Golden(file));
        using Reader reader = new(file);
        Random random = new(20);
        int refused = 0;
        const int Trials = 2000;
        for (int trial = 0; trial < Trials; trial++)
        {
            byte[] damaged = [.. whole];
            for (int flips = random.Next(1, 4); flips > 0; flips--) damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
            if (!reader.Reads(damaged)) refused++;
        }
        output.WriteLine($"{file}: {refused} of {Trials} refused");
        Assert.InRange(refused, 1, Trials);
    }

    [Fact]
    public void A_flipped_bit_anywhere_in_the_data_of_an_own_checkpoint_is_found()
    {
        using WeightTestFiles.TemporaryFolder folder = WeightTestFiles.NewFolder();
        string path = folder.File("own.pth");
        Tensor weight = Tensor.From(Enumerable.Range(0, 300).Select(i => (float)i).ToArray(), [300]);
        PthFile.Write(path, new PickleDict { ["weight"] = weight, ["epoch"] = 3 });
        byte[] whole = File.ReadAllBytes(path);
        (long Start, long End)[] covered;
        using (InputFile file = new(path))
            covered = [.. ZipDirectory.Read(file).Entries.Values.Where(e => !e.Name.EndsWith("version")).Select(e => (e.Offset, e.Offset + e.Length))];
        using Reader reader = new("own.pth");
        foreach ((long start, long end) in covered)
        {
            for (long at = start; at < end; at++)
            {
                byte[] damaged = [.. whole];
                damaged[at] ^= 0x10;
                Assert.False(reader.Reads(damaged), $"a flipped bit in byte {at} was not found");
            }
        }
    }

    [Fact]
    public void Lengths_that_lie_ask_for_no_memory()
    {
        using Reader reader = new("forged.pth");
        using WeightTestFiles.TemporaryFolder folder = WeightTestFiles.NewFolder();
        using MemoryStream stream = new();
        ZipStoreWriter zip = new(stream);
        // A storage of 2^40 floats of which the file has four.
        (byte[] pickle, _) = PickleWriter.Write(Tensor.Zeros([4]), false);
        int count = pickle.AsSpan().LastIndexOf(new byte[] { (byte)'K', 4, (byte)'t', (byte)'Q' });
        byte[] forged = [.. pickle[..count], 0x8a, 6, 0, 0, 0, 0, 0, 1, .. pickle[(count + 2)..]];
        zip.Add("archive/data.pkl", forged);
        zip.Add("archive/data/0", new byte[16]);
        zip.Finish();
        HostAllocator.ResetPeak();
        long before = HostAllocator.PeakBytes;
        Assert.False(reader.Reads(stream.ToArray()));
        Assert.InRange(HostAllocator.PeakBytes - before, 0, 1 << 20);
    }

    /// <summary>Reads variants of a file within bounds of time and memory.</summary>
    private sealed class Reader(string file) : IDisposable
    {
        private readonly WeightTestFiles.TemporaryFolder _folder = WeightTestFiles.NewFolder();

        /// <summary>False if the bytes were refused with an error that names the file; any other exception fails the test.</summary>
        public bool Reads(ReadOnlySpan<byte> bytes)
        {
            string path = _folder.File(Path.GetFileName(file));
            Overwrite(path, bytes);
            long allocated = GC.GetAllocatedBytesForCurrentThread();
            Stopwatch watch = Stopwatch.StartNew();
            using MemoryScope scope = MemoryScope.Begin();
            try
            {
                Read(path);
                return true;
            }
            catch (Exception error) when (error is WeightFileException or PickleException)
            {
                Assert.StartsWith(path, error.Message);
                return false;
            }
            finally
            {
                Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - allocated, 0, MaxManagedBytes);
                Assert.InRange(watch.ElapsedMilliseconds, 0, MaxMilliseconds);
            }
        }

        public void Dispose() => _folder.Dispose();

        /// <summary>In place: file systems force files that are emptied and written again to the disk, thousands of times here.</summary>
        private static void Overwrite(string path, ReadOnlySpan<byte> bytes)
        {
            using SafeFileHandle handle = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.Write);
            RandomAccess.Write(handle, bytes, 0);
            RandomAccess.SetLength(handle, bytes.Length);
        }

        private static void Read(string path)
        {
            if (path.EndsWith(".pth"))
            {
                PthFile.Read(path);
            }
            else if (path.EndsWith(".safetensors"))
            {
                SafetensorsFile.ReadAll(path);
            }
            else
            {
                using FileStream stream = File.OpenRead(path);
                Pickle.Load(stream, new PickleOptions { Name = path });
            }
        }
    }
}
