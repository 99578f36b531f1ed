using System.Globalization;
using System.Text;

namespace Lavt.Text;

/// <summary>Kinds of characters as BERT's tokenizer and Python's str tell them apart.</summary>
internal static class Characters
{
    /// <summary>What Python's str.split() splits at: Unicode's spaces and the four separators of ASCII.</summary>
    public static bool IsSpace(Rune rune) => Rune.IsWhiteSpace(rune) || rune.Value is >= 0x1C and <= 0x1F;

    /// <summary>All of ASCII that is neither letter, digit, space nor control, and what Unicode calls punctuation.</summary>
    public static bool IsPunctuation(Rune rune)
    {
        if (rune.IsAscii) return rune.Value is > 32 and < 127 && !Rune.IsLetterOrDigit(rune);
        return Rune.GetUnicodeCategory(rune) is UnicodeCategory.ConnectorPunctuation or UnicodeCategory.DashPunctuation
            or UnicodeCategory.OpenPunctuation or UnicodeCategory.ClosePunctuation or UnicodeCategory.InitialQuotePunctuation
            or UnicodeCategory.FinalQuotePunctuation or UnicodeCategory.OtherPunctuation;
    }

    /// <summary>The blocks of Unicode named CJK; each of their characters is a word.</summary>
    public static bool IsChinese(Rune rune) => rune.Value
        is (>= 0x4E00 and <= 0x9FFF) or (>= 0x3400 and <= 0x4DBF) or (>= 0x20000 and <= 0x2A6DF) or (>= 0x2A700 and <= 0x2B73F)
        or (>= 0x2B740 and <= 0x2B81F) or (>= 0x2B820 and <= 0x2CEAF) or (>= 0xF900 and <= 0xFAFF) or (>= 0x2F800 and <= 0x2FA1F);

    /// <summary>
    /// The small letter. The capital I with a dot becomes an i (and a dot, which is an accent and falls away), as Unicode's
    /// full mapping has it.
    /// </summary>
    public static Rune ToLower(Rune rune) => rune.Value == 0x130 ? new Rune('i') : Rune.ToLowerInvariant(rune);
}
