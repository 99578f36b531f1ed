using System.Text.Json;
using Lavt.Tests.Data;
using Lavt.Text;
using Xunit;

namespace Lavt.Tests.Text;

public class TokenizerTests
{
    private static readonly BertTokenizer s_tokenizer = BertTokenizer.Load(DataGolden.Path("tokenizer"));

    public static TheoryData<int> Cases => [.. Enumerable.Range(0, DataGolden.Json("tokenizer", "cases.json").GetProperty("cases").GetArrayLength())];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Ids_equal_those_of_the_published_tokenizer(int number)
    {
        JsonElement test = DataGolden.Json("tokenizer", "cases.json").GetProperty("cases")[number];
        Assert.Equal(test.Ints("ids"), s_tokenizer.Encode(test.GetProperty("text").GetString()!));
    }

    [Fact]
    public void Long_sentences_lose_their_end_and_short_ones_are_padded()
    {
        string text = "second man from the right in the black shirt";
        int[] all = s_tokenizer.Encode(text);
        Tokens cut = s_tokenizer.Encode(text, 5), padded = s_tokenizer.Encode(text, all.Length + 3);
        Assert.Equal(all[..5], cut.Ids);
        Assert.True(cut.IsCutOff);
        Assert.Equal((5, all.Length), (cut.Count, cut.FullLength));
        Assert.Equal([.. all, 0, 0, 0], padded.Ids);
        Assert.Equal(all.Length, padded.Count);
        Assert.False(padded.IsCutOff);
    }

    // From the published tokenizer; letters that grow, shrink or leave the basic plane in lower case or decomposition.
    [Theory]
    [InlineData("İ", "i")]
    [InlineData("ÀÉÎ", "aei")]
    [InlineData("a\u001Cdog", "a dog")]
    [InlineData("a\u2003dog\u3000cat", "a dog cat")]
    public void Spellings_of_one_text_have_the_same_ids(string text, string plain) =>
        Assert.Equal(s_tokenizer.Encode(plain), s_tokenizer.Encode(text));

    [Fact]
    public void Words_of_more_than_a_hundred_code_points_are_unknown()
    {
        int unknown = s_tokenizer.Encode("[UNK]")[1];
        Assert.NotEqual(unknown, s_tokenizer.Encode(new string('a', 100))[1]);
        Assert.Equal(unknown, s_tokenizer.Encode(new string('a', 101))[1]);
    }

    [Fact]
    public void Any_text_has_ids_of_the_vocabulary()
    {
        Random random = new(11);
        for (int trial = 0; trial < 2000; trial++)
        {
            char[] text = new char[random.Next(40)];
            for (int i = 0; i < text.Length; i++) text[i] = (char)(random.Next(3) == 0 ? random.Next(0x10000) : random.Next(32, 127));
            int[] ids = s_tokenizer.Encode(new string(text));
            Assert.All(ids, id => Assert.InRange(id, 0, s_tokenizer.VocabularySize - 1));
            Assert.Equal((5, 6), (ids[0], ids[^1]));
        }
    }

    [Fact]
    public void Missing_and_wrong_vocabularies_are_named()
    {
        using DataGolden.TemporaryFolder folder = DataGolden.NewFolder();
        Assert.Contains(Path.Combine(folder.Folder, "vocab.txt"), Assert.Throws<FileNotFoundException>(() => BertTokenizer.Load(folder.Folder)).Message);
        string file = folder.File("words.txt", "[PAD]\n[UNK]\n[CLS]\nman\n"u8.ToArray());
        string message = Assert.Throws<InvalidDataException>(() => BertTokenizer.Load(file)).Message;
        Assert.Contains(file, message);
        Assert.Contains("[SEP]", message);
    }
}
