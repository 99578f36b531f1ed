namespace Lavt.Nn;

/// <summary>Something that is computed once from weights, for inference.</summary>
public interface IDerivedWeight
{
    /// <summary>Computes it from the present weights, if that was not done yet.</summary>
    void Make();

    /// <summary>Drops it, for the weights may have changed.</summary>
    void Forget();
}
