using System.Diagnostics;
using System.Text;
using Lavt.Nn.Weights;
using Xunit;

namespace Lavt.Tests.Nn;

public class PickleTests
{
    [Theory]
    [InlineData("refcoco/refs(unc).p")]
    [InlineData("refcoco+/refs(unc).p")]
    [InlineData("refcocog/refs(umd).p")]
    public void Referring_expressions_of_python_2_are_read(string file)
    {
        string path = WeightTestFiles.Golden("data/refer/" + file);
        using FileStream stream = File.OpenRead(path);
        var references = (List<object?>)Pickle.Load(stream, new PickleOptions { Name = path })!;

        Assert.NotEmpty(references);
        foreach (PickleDict reference in references.Cast<PickleDict>())
        {
            Assert.InRange(reference.Get<int>("image_id"), 1, 6);
            Assert.Contains(reference.Get<string>("split"), new[] { "train", "val", "test", "testA", "testB" });
            List<object?> sentences = reference.Get<List<object?>>("sentences");
            Assert.Equal(reference.Get<List<object?>>("sent_ids"), sentences.Select(sentence => ((PickleDict)sentence!)["sent_id"]));
            Assert.All(sentences, sentence => Assert.NotEmpty(((PickleDict)sentence!).Get<string>("raw")));
        }
    }

    [Theory]
    [InlineData("(S'caf\\xc3\\xa9'\nt.", "café")]
    [InlineData("(S'caf\\xe9'\nt.", "café")]
    [InlineData("(S\"it's \\101\\\\ \\n\"\nt.", "it's A\\ \n")]
    public void Byte_strings_of_python_2_are_utf8_or_else_latin1(string pickle, string expected) =>
        Assert.Equal([expected], (object?[])Load(pickle)!);

    [Fact]
    public void A_repeated_key_keeps_its_place_and_takes_the_last_value()
    {
        var dict = (PickleDict)Load("(dp0\nS'a'\nI1\nsS'b'\nI2\nsS'a'\nI3\ns.")!;
        Assert.Equal(["a", "b"], dict.Keys);
        Assert.Equal(3, dict.Get<int>("a"));
    }

    [Fact]
    public void Large_dicts_find_their_keys_as_python_does()
    {
        PickleDict dict = new();
        for (int i = 0; i < 100; i++) dict.Set((long)i, i);
        dict.Set(1.0, "one");
        dict.Set(true, "true");
        dict.Set(new byte[] { 1 }, "bytes");
        dict.Set(null, "none");
        Assert.Equal(102, dict.Count);
        Assert.True(dict.TryGetValue(1, out object? one) && one is "true");
        Assert.True(dict.TryGetValue(new byte[] { 1 }, out object? bytes) && bytes is "bytes");
        Assert.True(dict.TryGetValue(null, out object? none) && none is "none");
        Assert.Throws<ArgumentException>(() => dict.Set(new List<object?>(), 1));
    }

    [Fact]
    public void A_missing_or_wrong_value_is_named()
    {
        PickleDict dict = new() { ["epoch"] = 7L, ["name"] = "x" };
        Assert.Contains("'model'; there are: epoch, name", Assert.Throws<KeyNotFoundException>(() => dict.Get<long>("model")).Message);
        Assert.Contains("'name' is a String, expected Int64", Assert.Throws<InvalidCastException>(() => dict.Get<long>("name")).Message);
        Assert.Equal(7f, dict.Get<float>("epoch"));
        Assert.False(dict.TryGet("name", out int _));
    }

    [Theory]
    [InlineData("cos\nsystem\n(S'echo'\ntR.", 11)]
    [InlineData("(S'echo'\nios\nsystem\n.", 20)]
    [InlineData("\u0080\u0004\u008c\u0002os\u008c\u0006system\u0093.", 15)]
    public void A_foreign_name_is_refused_with_name_and_place(string pickle, int offset)
    {
        var error = Assert.Throws<PickleException>(() => Load(pickle));
        Assert.Equal(offset, error.Offset);
        Assert.Contains("sample: the file names 'os.system'", error.Message);
        Assert.Contains("Allowed are Python's containers and argparse.Namespace", error.Message);
    }

    [Theory]
    [InlineData("", "cut off")]
    [InlineData("(lp0\nI1\na", "cut off")]
    [InlineData("\u0080\u0002X\u00ff\u00ff\u00ff\u007fab.", "2147483647 more bytes")]
    [InlineData("\u0080\u0004\u008d\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ffab.", "18446744073709551615 more bytes")]
    [InlineData("\u0080\u0004\u0095\u00ff\u00ff\u00ff\u00ff\u0000\u0000\u0000\u0000N.", "more bytes")]
    [InlineData("\u0080\u0006N.", "protocol 6")]
    [InlineData("0.", "no mark")]
    [InlineData("a.", "nothing on the stack")]
    [InlineData("t.", "no mark")]
    [InlineData("(.", "nothing on the stack")]
    [InlineData("g5\n.", "never set")]
    [InlineData("Np99999999\n.", "memo number 99999999")]
    [InlineData("(I1\nd.", "without a value")]
    [InlineData("(lp0\n(lI1\ns.", "no dict")]
    [InlineData("}]Ns.", "cannot be a key")]
    [InlineData("NNa.", "no list")]
    [InlineData("NNb.", "has none")]
    [InlineData("I1\n)R.", "no class or function")]
    [InlineData("Ixyz\n.", "whole number")]
    [InlineData("Fxyz\n.", "float")]
    [InlineData("S'abc\n.", "quoted string")]
    [InlineData("V\\u12\n.", "escape")]
    [InlineData("X\u0002\u0000\u0000\u0000\u00c3\u0028.", "UTF-8")]
    [InlineData("\u0082\u0001.", "0x82")]
    [InlineData("Pid\n.", "outside of itself")]
    [InlineData("]q\u0000h\u0000a.", "holds itself")]
    public void Damage_is_reported(string pickle, string expected) =>
        Assert.Contains(expected, Assert.Throws<PickleException>(() => Load(pickle)).Message);

    [Fact]
    public void Depth_is_limited_however_it_is_built()
    {
        string lists = new string(']', 5000) + new string('a', 4999) + ".";
        string tuples = "N" + new string('\u0085', 5_000_000) + ".";
        StringBuilder fromOutside = new("]p0\n");
        for (int i = 1; i < 5000; i++) fromOutside.Append($"]p{i}\nag{i}\n");
        foreach (string pickle in new[] { lists, tuples, fromOutside.Append("0g0\n.").ToString() })
            Assert.Contains("deeper than 200 levels", Assert.Throws<PickleException>(() => Load(pickle)).Message);
        Assert.NotNull(Load(new string(']', 200) + new string('a', 199) + "."));
    }

    [Fact]
    public void Operations_are_limited()
    {
        PickleOptions options = new() { MaxOperations = 1000 };
        Assert.Contains("1000 operations", Assert.Throws<PickleException>(() => Pickle.Load(Latin1("N" + new string('2', 2000) + "."), options)).Message);
    }

    [Fact]
    public void Streams_beyond_the_limit_are_not_read()
    {
        PickleOptions options = new() { MaxBytes = 100 };
        var error = Assert.Throws<PickleException>(() => Pickle.Load(new MemoryStream(new byte[101]), options));
        Assert.Contains("larger than the limit of 100 bytes", error.Message);
    }

    [Fact]
    public void A_long_key_set_again_and_again_takes_no_time()
    {
        string key = new('k', 1 << 20);
        StringBuilder pickle = new($"}}V{key}\np0\n0");
        for (int i = 0; i < 1 << 18; i++) pickle.Append("h\0Ns");
        Stopwatch watch = Stopwatch.StartNew();
        Assert.Contains("cannot be a key", Assert.Throws<PickleException>(() => Load(pickle.Append('.').ToString())).Message);
        Assert.InRange(watch.ElapsedMilliseconds, 0, 2000);
    }

    [Fact]
    public void Subclasses_of_dict_and_list_keep_their_contents()
    {
        var instance = (PickleObject)Load("cargparse\nNamespace\n)\u0081(S'k'\nI1\nu(I5\nI6\ne}S'a'\nI2\nsb.")!;
        Assert.Equal(1, instance.Items!.Get<int>("k"));
        Assert.Equal([5L, 6L], instance.Elements);
        Assert.Equal(2, ((PickleDict)instance.State!).Get<int>("a"));
    }

    private static object? Load(string latin1) => Pickle.Load(
        Latin1(latin1),
        new PickleOptions { Name = "sample", AllowedGlobals = new HashSet<string> { "argparse.Namespace" } });

    private static byte[] Latin1(string text) => Encoding.Latin1.GetBytes(text);
}
