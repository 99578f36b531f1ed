using System.Runtime.ExceptionServices;
using Lavt.Text;

namespace Lavt.Data;

/// <summary>What verifiers of all data sets share: they read everything, go on past every error and list what is wrong.</summary>
public abstract class Verifier
{
    private const int ChunkSize = 128;

    /// <summary>The vocabulary to check the sentences with; without it only empty ones are found.</summary>
    public BertTokenizer? Tokenizer { get; init; }

    /// <summary>The length of a row of word pieces, for counting the sentences that lose their end.</summary>
    public int MaxTokens { get; init; } = 20;

    /// <summary>The number of threads that read files.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;

    /// <summary>Gets each problem, in the order of the files whatever the number of threads.</summary>
    public Action<DataProblem>? Found { get; init; }

    /// <summary>Gets the number of pictures or videos that are done and the number of all.</summary>
    public Action<int, int>? Progress { get; init; }

    /// <summary>The number of problems so far that would stop training or evaluation.</summary>
    protected int Errors { get; private set; }

    /// <summary>The number of problems so far that would not.</summary>
    protected int Warnings { get; private set; }

    /// <summary>The number of sentences so far that lose their end.</summary>
    protected int CutOff { get; private set; }

    /// <summary>Verifies the data set.</summary>
    /// <exception cref="DllNotFoundException">A decoding library is not installed; the message says how to get it.</exception>
    public abstract DataReport Run();

    /// <summary>Counts a problem and passes it on.</summary>
    protected void Report(DataProblem problem)
    {
        ArgumentNullException.ThrowIfNull(problem);
        if (problem.IsWarning) Warnings++;
        else Errors++;
        Found?.Invoke(problem);
    }

    /// <summary>Reports a sentence that is empty or has no known word.</summary>
    /// <param name="text">The sentence.</param>
    /// <param name="warning">Makes a warning of a text.</param>
    protected void CheckSentence(string text, Func<string, DataProblem> warning)
    {
        ArgumentNullException.ThrowIfNull(warning);
        if (string.IsNullOrWhiteSpace(text))
        {
            Report(warning("the sentence is empty"));
            return;
        }
        if (Tokenizer is null) return;
        Tokens tokens = Tokenizer.Encode(text, MaxTokens);
        if (tokens.IsCutOff) CutOff++;
        int unknown = tokens.Ids.Count(id => id == Tokenizer.UnknownId), words = tokens.FullLength - 2;
        if (unknown > 0 && unknown >= words) Report(warning($"no word of '{text}' is in the vocabulary"));
    }

    /// <summary>Checks units side by side and reports their problems in the order of the units.</summary>
    /// <typeparam name="TUnit">What is checked at a time.</typeparam>
    /// <typeparam name="TDesk">The memory of a checking thread.</typeparam>
    protected void CheckAll<TUnit, TDesk>(List<TUnit> units, Func<TDesk> newDesk, Func<TDesk, TUnit, List<DataProblem>> check)
    {
        ArgumentNullException.ThrowIfNull(units);
        for (int first = 0; first < units.Count; first += ChunkSize)
        {
            int start = first, count = Math.Min(ChunkSize, units.Count - first);
            List<DataProblem>[] problems = new List<DataProblem>[count];
            try
            {
                Parallel.For(0, count, new ParallelOptions { MaxDegreeOfParallelism = Threads }, newDesk, (i, _, desk) =>
                {
                    problems[i] = check(desk, units[start + i]);
                    return desk;
                }, _ => { });
            }
            catch (AggregateException failure)
            {
                ExceptionDispatchInfo.Throw(failure.Flatten().InnerExceptions[0]);
            }
            foreach (DataProblem problem in problems.SelectMany(list => list)) Report(problem);
            Progress?.Invoke(first + count, units.Count);
        }
    }
}
