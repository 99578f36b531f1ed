using Lavt.Tensors;

namespace Lavt.Models;

/// <summary>What the sentence says to the tokens of a map: the inner part of PWAM.</summary>
public interface ILanguageFusion
{
    /// <summary>Language features for each token, [B, N, C], or one for all, [B, 1, C].</summary>
    /// <param name="x">Tokens [B, N, C].</param>
    /// <param name="language">Words [B, L, language channels].</param>
    /// <param name="mask">1 for words, 0 for padding: [B, L].</param>
    Tensor Forward(Tensor x, Tensor language, Tensor mask);
}
