using Lavt.Data;
using Lavt.Data.Hdf5;
using Lavt.Imaging;
using Lavt.Tests.Clips;
using Xunit;

namespace Lavt.Tests.Data;

/// <summary>What goes wrong with HDF5 masks; that good ones are read right is among the golden checks.</summary>
public sealed class Hdf5Tests : IDisposable
{
    private readonly DataGolden.TemporaryFolder _folder = DataGolden.NewFolder();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("00000.h5")]
    [InlineData("00001.h5")]
    [InlineData("00003.h5")]
    public void No_prefix_of_a_file_passes_as_the_file(string name)
    {
        ClipSets.NeedHdf5();
        byte[] whole = File.ReadAllBytes(DataGolden.Path("hdf5", name));
        string path = Path.Combine(_folder.Folder, name);
        for (int length = 0; length < whole.Length; length += 97)
        {
            File.WriteAllBytes(path, whole[..length]);
            DataException failure = Assert.Throws<DataException>(() => A2dMask.Read(path, 0, "sample 7", new Mask()));
            Assert.StartsWith($"{path}: sample 7: ", failure.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_file_without_masks_says_so()
    {
        ClipSets.NeedHdf5();
        byte[] whole = File.ReadAllBytes(DataGolden.Path("hdf5", "00001.h5"));
        int name = whole.AsSpan().IndexOf("reMask"u8);
        Assert.InRange(name, 0, whole.Length);
        whole[name] = (byte)'s';
        string path = _folder.File("without.h5", whole);
        DataException failure = Assert.Throws<DataException>(() => A2dMask.Read(path, 0, "sample 7", new Mask()));
        Assert.Contains($"{path}: sample 7: the file has no 'reMask'", failure.Message);
    }

    [Fact]
    public void An_actor_that_is_not_in_the_file_is_named()
    {
        ClipSets.NeedHdf5();
        string path = DataGolden.Path("hdf5", "00001.h5");
        DataException failure = Assert.Throws<DataException>(() => A2dMask.Read(path, 7, "sample 7", new Mask()));
        Assert.Contains("there is no actor 7, only 0, 2, 4", failure.Message);
    }

    [Fact]
    public void Missing_and_foreign_files_are_told_apart()
    {
        ClipSets.NeedHdf5();
        string nowhere = Path.Combine(_folder.Folder, "nowhere.h5"), text = _folder.File("text.h5", "no masks at all"u8.ToArray());
        Assert.Contains("there is no such file", Assert.Throws<DataException>(() => A2dMask.Read(nowhere, 0, "", new Mask())).Message);
        Assert.Contains("no HDF5 file", Assert.Throws<DataException>(() => A2dMask.Read(text, 0, "", new Mask())).Message);
    }

    [Fact]
    public void Without_the_library_the_message_says_what_to_install()
    {
        DllNotFoundException failure = Assert.Throws<DllNotFoundException>(() => Hdf5Library.Open(["libhdf5-of-nowhere.so.1"]));
        Assert.Contains("apt-get install libhdf5-103-1", failure.Message);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Masks_that_are_written_are_read_again(int actors)
    {
        ClipSets.NeedHdf5();
        string path = Path.Combine(_folder.Folder, "written.h5");
        Mask[] masks = [.. Enumerable.Range(0, actors).Select(_ => new Mask(7, 11))];
        for (int i = 0; i < actors; i++) masks[i].Pixels.Slice(11 * i + 2, 20).Fill(1);
        A2dMask.Write(path, [.. Enumerable.Range(0, actors).Select(i => 5L + i)], masks);
        Mask read = new();
        for (int i = 0; i < actors; i++)
        {
            A2dMask.Read(path, 5 + i, "", read);
            Assert.Equal(masks[i].Pixels.ToArray(), read.Pixels.ToArray());
        }
        Assert.Throws<IOException>(() => A2dMask.Write(Path.Combine(_folder.Folder, "no", "folder.h5"), [1], [new Mask(2, 2)]));
    }

    [Fact]
    public void Threads_take_turns()
    {
        ClipSets.NeedHdf5();
        Parallel.For(0, 200, i =>
        {
            Mask mask = new();
            A2dMask.Read(DataGolden.Path("hdf5", "00003.h5"), 2, "", mask);
            Assert.Equal((30, 40), (mask.Rows, mask.Columns));
        });
    }
}
