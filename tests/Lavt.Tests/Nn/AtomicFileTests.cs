using System.Diagnostics;
using Lavt.Nn.Weights;
using Lavt.Tensors;
using Xunit;

namespace Lavt.Tests.Nn;

public class AtomicFileTests(ITestOutputHelper output)
{
    [Fact]
    public void A_file_is_replaced_with_its_permissions()
    {
        using WeightTestFiles.TemporaryFolder folder = WeightTestFiles.NewFolder();
        string path = folder.File("a");
        File.WriteAllText(path, "old");
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.GroupRead);
        AtomicFile.Write(path, stream => stream.Write("new"u8), 3);
        Assert.Equal("new", File.ReadAllText(path));
        if (!OperatingSystem.IsWindows()) Assert.Equal(UnixFileMode.UserRead | UnixFileMode.GroupRead, File.GetUnixFileMode(path));
        Assert.Single(Directory.GetFiles(folder.Path));
    }

    [Fact]
    public void A_link_stays_a_link()
    {
        using WeightTestFiles.TemporaryFolder folder = WeightTestFiles.NewFolder();
        File.WriteAllText(folder.File("target"), "old");
        File.CreateSymbolicLink(folder.File("link"), folder.File("target"));
        AtomicFile.Write(folder.File("link"), stream => stream.Write("new"u8));
        Assert.Equal("new", File.ReadAllText(folder.File("target")));
        Assert.NotNull(File.ResolveLinkTarget(folder.File("link"), false));
    }

    [Fact]
    public async Task A_pipe_is_written_to_and_stays_a_pipe()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "pipes with names are those of Linux");
        using WeightTestFiles.TemporaryFolder folder = WeightTestFiles.NewFolder();
        string pipe = folder.File("pipe"), link = folder.File("link");
        Assert.True(Run("mkfifo", pipe));
        File.CreateSymbolicLink(link, pipe);
        foreach (string path in new[] { pipe, link })
        {
            Task<string> reader = Task.Run(() => File.ReadAllText(pipe), TestContext.Current.CancellationToken);
            AtomicFile.Write(path, stream => stream.Write("new"u8));
            Assert.Equal("new", await reader);
        }
        Assert.Equal(2, Directory.GetFiles(folder.Path).Length);
    }

    [Fact]
    public void A_place_where_nothing_can_be_written_is_named_before_the_work()
    {
        using WeightTestFiles.TemporaryFolder folder = WeightTestFiles.NewFolder();
        string file = folder.File("file");
        File.WriteAllText(file, "old");
        OutputPath.RequireWritable(null);
        OutputPath.RequireWritable(file);
        OutputPath.RequireWritable(Path.Combine(folder.Path, "new", "x.json"));
        Assert.Contains("this is a folder", Assert.Throws<IOException>(() => OutputPath.RequireWritable(folder.Path)).Message);
        Assert.StartsWith(file, Assert.Throws<IOException>(() => OutputPath.RequireWritable(Path.Combine(file, "x.json"))).Message);
        Assert.StartsWith(file, Assert.Throws<IOException>(() => OutputPath.MakeFolder(file)).Message);
        Assert.Equal("old", File.ReadAllText(file));
        Assert.Equal([file], Directory.GetFiles(folder.Path, "*", SearchOption.AllDirectories));
    }

    [Fact]
    public void A_failure_leaves_the_old_file_and_nothing_else()
    {
        using WeightTestFiles.TemporaryFolder folder = WeightTestFiles.NewFolder();
        string path = folder.File("a");
        File.WriteAllText(path, "old");
        Assert.Throws<InvalidOperationException>(() => AtomicFile.Write(path, stream =>
        {
            stream.Write("half"u8);
            throw new InvalidOperationException("stop");
        }));
        Assert.Equal("old", File.ReadAllText(path));
        Assert.Single(Directory.GetFiles(folder.Path));
    }

    [Fact]
    public void A_missing_folder_is_named()
    {
        string path = Path.Combine(Path.GetTempPath(), "lavt-no-such-folder", "a");
        Assert.Contains("lavt-no-such-folder does not exist; make it first", Assert.Throws<DirectoryNotFoundException>(() => AtomicFile.Write(path, _ => { })).Message);
    }

    [Fact]
    public void Leftovers_of_killed_writers_are_removed()
    {
        using WeightTestFiles.TemporaryFolder folder = WeightTestFiles.NewFolder();
        foreach (string name in new[] { "a.pth", ".a.pth.01234567.tmp", ".b.pth.01234567.tmp" }) File.WriteAllText(folder.File(name), "");
        Assert.Equal(1, AtomicFile.RemoveLeftovers(folder.File("a.pth")));
        Assert.False(File.Exists(folder.File(".a.pth.01234567.tmp")));
        Assert.Equal(2, Directory.GetFiles(folder.Path).Length);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_full_disk_is_reported_and_the_old_checkpoint_stays(bool sizeIsKnown)
    {
        using WeightTestFiles.TemporaryFolder folder = WeightTestFiles.NewFolder();
        bool mounted = Run("mount", "-t", "tmpfs", "-o", "size=256k", "lavt-test", folder.Path);
        output.WriteLine(mounted ? "on a full tmpfs of 256 KB" : "no right to mount: with a stream that fails as a full disk does");
        try
        {
            string path = folder.File("model.pth");
            PthFile.Write(path, Tensor.Zeros([1000]));
            byte[] before = File.ReadAllBytes(path);
            Action<Stream> write = stream =>
            {
                for (int i = 0; i < 1000; i++) stream.Write(new byte[1000]);
                stream.Flush();
                if (!mounted) throw new IOException("No space left on device");
            };
            var error = Assert.Throws<IOException>(() => AtomicFile.Write(path, write, sizeIsKnown ? 1_000_000 : 0));
            output.WriteLine(error.Message);
            Assert.Contains(path + " was not written", error.Message);
            Assert.Contains("bytes are free", error.Message);
            if (sizeIsKnown) Assert.Contains("1000000 bytes are needed", error.Message);
            Assert.Equal(before, File.ReadAllBytes(path));
            Assert.Single(Directory.GetFiles(folder.Path));
            if (mounted) Assert.Throws<IOException>(() => PthFile.Write(path, Tensor.Zeros([1 << 20])));
            Assert.Equal(before, File.ReadAllBytes(path));
        }
        finally
        {
            if (mounted) Assert.True(Run("umount", folder.Path));
        }
    }

    private static bool Run(string program, params string[] arguments)
    {
        try
        {
            using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
            process.StandardError.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }
}
