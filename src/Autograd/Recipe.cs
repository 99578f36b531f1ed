using Lavt.Tensors;

namespace Lavt.Autograd;

/// <summary>
/// How to compute a result once more from what the tape keeps anyway. Backward rules that read such a result do not keep its
/// memory: it is allocated and computed anew just for as long as the rule runs.
/// </summary>
internal sealed class Recipe
{
    private readonly Storage _result;
    private readonly Saved _ingredients;
    private readonly Action _compute;

    /// <summary>A recipe that <paramref name="tape"/> keeps until it has played the operation that made the result.</summary>
    public Recipe(Tape tape, Storage result, Saved ingredients, Action compute)
    {
        result.Recipe = this;
        Tape = tape;
        _result = result;
        _ingredients = ingredients;
        _compute = compute;
    }

    /// <summary>How many recipes are followed, one after the other.</summary>
    public int Depth => 1 + _ingredients.Depth;

    /// <summary>The tape that keeps the ingredients.</summary>
    public Tape Tape { get; }

    /// <summary>Makes the numbers readable until <see cref="Withdraw"/>.</summary>
    public void Provide()
    {
        _result.Retain();
        if (_result.IsAllocated) return;
        _ingredients.Provide();
        _result.Reallocate();
        _compute();
        _ingredients.Withdraw();
    }

    /// <summary>Ends what <see cref="Provide"/> began.</summary>
    public void Withdraw() => _result.ReleaseReference();

    /// <summary>Lets go of the ingredients; nothing that is still to be played reads the result.</summary>
    public void Forget()
    {
        _ingredients.Release();
        _result.Recipe = null;
    }
}

/// <summary>What a tape entry reads: blocks that are kept for it, and results that are computed again when it is played.</summary>
internal readonly struct Saved
{
    private readonly Storage[]? _kept;
    private readonly Recipe[]? _recipes;

    /// <summary>Keeps the memory of <paramref name="tensors"/>, but for results for which <paramref name="tape"/> has a recipe.</summary>
    public Saved(Tape tape, ReadOnlySpan<Tensor?> tensors)
    {
        int recipes = 0, kept = 0;
        foreach (Tensor? tensor in tensors)
        {
            if (tensor is null) continue;
            if (RecipeOf(tensor, tape) is not null) recipes++;
            else kept++;
        }
        if (kept > 0) _kept = new Storage[kept];
        if (recipes > 0) _recipes = new Recipe[recipes];
        foreach (Tensor? tensor in tensors)
        {
            if (tensor is null) continue;
            if (RecipeOf(tensor, tape) is { } recipe)
            {
                _recipes![--recipes] = recipe;
                continue;
            }
            tensor.Storage.Retain();
            _kept![--kept] = tensor.Storage;
        }
    }

    /// <summary>How many recipes are followed, one after the other, to provide everything.</summary>
    public int Depth => _recipes is null ? 0 : _recipes.Max(recipe => recipe.Depth);

    /// <summary>Makes everything readable until <see cref="Withdraw"/>.</summary>
    public void Provide()
    {
        if (_recipes is null) return;
        foreach (Recipe recipe in _recipes) recipe.Provide();
    }

    /// <summary>Ends what <see cref="Provide"/> began.</summary>
    public void Withdraw()
    {
        if (_recipes is null) return;
        foreach (Recipe recipe in _recipes) recipe.Withdraw();
    }

    /// <summary>Lets go of what was kept.</summary>
    public void Release()
    {
        if (_kept is null) return;
        foreach (Storage storage in _kept) storage.ReleaseReference();
    }

    private static Recipe? RecipeOf(Tensor tensor, Tape tape) => tensor.Storage.Recipe is Recipe recipe && recipe.Tape == tape ? recipe : null;
}
