using System.Diagnostics;
using System.Text.RegularExpressions;
using Lavt.Kernels.Cuda.Driver;
using Xunit;

namespace Lavt.Tests.Cuda;

/// <summary>
/// Looks after the inline PTX, which no compiler at hand reads: it stands in the headers whose names begin with Ptx alone; each
/// instruction is one of a list, with operands of the right kinds; each function has a twin for the emulator.
/// </summary>
public partial class PtxLintTests
{
    /// <summary>Instructions as they may stand: h, r, l, f are registers of 16, 32 and 64 bits and of floats, + is read and written, n a constant.</summary>
    private static readonly string[] s_instructions =
    [
        @"cvt\.rn\.bf16\.f32 =h, f", @"cvt\.rn\.bf16x2\.f32 =r, f, f", @"cvt\.f32\.f16 =f, h", @"cvt\.rn\.f16\.f32 =h, f", @"cvt\.rn\.f16x2\.f32 =r, f, f", @"cvt\.rna\.tf32\.f32 =r, f",
        @"ldmatrix\.sync\.aligned\.m8n8\.x4(\.trans)?\.shared\.b16 \{(=r, ){3}=r\}, \[r\]",
        @"mma\.sync\.aligned\.m16n8k16\.row\.col\.f32\.(bf16\.bf16|f16\.f16)\.f32 \{(\+f, ){3}\+f\}, \{(r, ){3}r\}, \{r, r\}, \{(\+f, ){3}\+f\}",
        @"mma\.sync\.aligned\.m16n8k8\.row\.col\.f32\.tf32\.tf32\.f32 \{(\+f, ){3}\+f\}, \{(r, ){3}r\}, \{r, r\}, \{(\+f, ){3}\+f\}",
        @"cp\.async\.cg\.shared\.global \[r\], \[l\], 16, r", @"cp\.async\.ca\.shared\.global \[r\], \[l\], 4, r", @"cp\.async\.commit_group", @"cp\.async\.wait_group n",
        @"mbarrier\.init\.shared::cta\.b64 \[r\], r", @"fence\.mbarrier_init\.release\.cluster", @"fence\.proxy\.async(\.shared::cta)?",
        @"mbarrier\.arrive\.release\.cta\.shared::cta\.b64 _, \[r\]", @"mbarrier\.arrive\.expect_tx\.release\.cta\.shared::cta\.b64 _, \[r\], r",
        @"\{ \.reg \.pred p", @"(WAIT: )?mbarrier\.try_wait\.parity\.shared::cta\.b64 p, \[r\], r", @"@p bra DONE", @"bra WAIT", @"DONE: \}",
        @"cp\.async\.bulk\.tensor\.2d\.shared::cluster\.global\.tile\.mbarrier::complete_tx::bytes \[r\], \[l, \{r, r\}\], \[r\]",
        @"cp\.async\.bulk\.tensor\.5d\.shared::cluster\.global\.tile\.mbarrier::complete_tx::bytes \[r\], \[l, \{r, r, r, r, r\}\], \[r\]",
        @"wgmma\.(fence|commit_group)\.sync\.aligned", @"wgmma\.wait_group\.sync\.aligned n",
        @"setmaxnreg\.(dec|inc)\.sync\.aligned\.u32 n", @"setp\.ne\.b32 p, r, 0", @"\}",
        .. new[] { 64, 128, 256 }.SelectMany(GroupProducts),
    ];

    public static TheoryData<string> Headers => [.. KernelSources.Files.Where(IsPtx)];

    /// <summary>Products of 64 rows and so many columns, the left operand from shared memory or from four registers.</summary>
    private static string[] GroupProducts(int columns)
    {
        string sums = $@"\{{(\+f, ){{{columns / 2 - 1}}}\+f\}}", product = $@"wgmma\.mma_async\.sync\.aligned\.m64n{columns}";
        return
        [
            $@"{product}k16\.f32\.(bf16\.bf16|f16\.f16) {sums}, l, l, p, 1, 1, 0, 0",
            $@"{product}k16\.f32\.(bf16\.bf16|f16\.f16) {sums}, \{{(r, ){{3}}r\}}, l, p, 1, 1, 0",
            $@"{product}k8\.f32\.tf32\.tf32 {sums}, (l|\{{(r, ){{3}}r\}}), l, p, 1, 1",
        ];
    }

    private static bool IsPtx(string file) => file.StartsWith("Ptx", StringComparison.Ordinal);

    [Fact]
    public void Inline_PTX_stands_in_its_headers_alone() =>
        Assert.DoesNotContain(KernelSources.Files, file => !IsPtx(file) && Regex.IsMatch(KernelSources.Read(file), @"\basm\b"));

    [Theory]
    [MemberData(nameof(Headers))]
    public void Every_instruction_is_known_with_its_operands(string header)
    {
        if (EmulatorBuild.Missing is { } why) Assert.Skip(why);
        string[] found = [.. Instructions(Preprocessed(header))];
        Assert.NotEmpty(found);
        Assert.All(found, instruction => Assert.Contains(s_instructions, known => Regex.IsMatch(instruction, $"^{known}$")));
    }

    [Theory]
    [InlineData("asm(\"cvt.rn.bf16.f32 %0, %1;\" : \"=r\"(bits) : \"f\"(x));")]
    [InlineData("asm(\"cvt.rn.bf17.f32 %0, %1;\" : \"=h\"(bits) : \"f\"(x));")]
    [InlineData("asm volatile(\"cp.async.cg.shared.global [%0], [%1], 16, %2;\" :: \"l\"(s), \"l\"(g), \"r\"(n) : \"memory\");")]
    public void A_wrong_instruction_is_noticed(string source) =>
        Assert.All(Instructions(source), instruction => Assert.DoesNotContain(s_instructions, known => Regex.IsMatch(instruction, $"^{known}$")));

    [Theory]
    [MemberData(nameof(Headers))]
    public void Every_function_has_a_twin_with_the_same_parameters(string header)
    {
        string twin = Path.Combine(EmulatorBuild.Root, "tests", "Emulator", "include", header);
        Assert.Subset(Functions(File.ReadAllText(twin)), Functions(KernelSources.Read(header)).Where(function => !function.Contains("sharedAddress", StringComparison.Ordinal)).ToHashSet());
    }

    /// <summary>A header without macros.</summary>
    private static string Preprocessed(string header)
    {
        string sources = Path.Combine(EmulatorBuild.Root, "src", "Kernels", "Cuda");
        using Process process = Process.Start(new ProcessStartInfo("g++", ["-E", "-P", "-w", "-x", "c++", "-std=c++17", "-I", sources, Path.Combine(sources, header)]) { RedirectStandardOutput = true })!;
        string text = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return text;
    }

    /// <summary>The instructions of a source with each operand replaced by its kind.</summary>
    private static IEnumerable<string> Instructions(string source)
    {
        foreach (Match statement in Statement().Matches(source))
        {
            string text = string.Concat(Literal().Matches(statement.Groups["code"].Value).Select(part => part.Groups[1].Value)).Replace("\\n\\t", " ", StringComparison.Ordinal);
            string[] kinds = [.. Literal().Matches(statement.Groups["operands"].Value).Select(operand => operand.Groups[1].Value).Where(kind => kind is not "memory")];
            text = Operand().Replace(text, operand => kinds[int.Parse(operand.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture)]);
            foreach (string instruction in text.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
                yield return Regex.Replace(Regex.Replace(instruction, @",\s*", ", "), @"\s+", " ");
        }
    }

    private static HashSet<string> Functions(string source) =>
        [.. Function().Matches(source).Select(function => Regex.Replace(function.Groups[1].Value, @"\s+", " "))];

    [GeneratedRegex(@"asm\s*(?:volatile)?\s*\((?<code>(?:\s*""[^""]*"")+)(?<operands>.*?)\);", RegexOptions.Singleline)]
    private static partial Regex Statement();

    [GeneratedRegex("\"([^\"]*)\"")]
    private static partial Regex Literal();

    [GeneratedRegex(@"%(\d+)")]
    private static partial Regex Operand();

    [GeneratedRegex(@"DEVICE ([^;{]*\))", RegexOptions.Singleline)]
    private static partial Regex Function();
}
