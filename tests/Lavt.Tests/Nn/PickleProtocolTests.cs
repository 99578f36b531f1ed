using System.Numerics;
using Lavt.Nn.Weights;
using Xunit;

namespace Lavt.Tests.Nn;

/// <summary>One Python object, pickled by CPython 3.11 in each of the six protocols, must come out as the same values.</summary>
public class PickleProtocolTests
{
    public static TheoryData<int> Protocols => [0, 1, 2, 3, 4, 5];

    [Theory]
    [MemberData(nameof(Protocols))]
    public void Every_protocol_gives_the_same_values(int protocol)
    {
        PickleDict dict = Sample(protocol);

        Assert.Equal(14, dict.Count);
        Assert.Null(dict["none"]);
        Assert.Equal([true, false], dict.Get<List<object?>>("flags"));
        object[] ints = [0L, -1L, 255L, 256L, 65535L, 65536L, -2147483648L, 2147483648L, 1L << 62, long.MinValue, BigInteger.Pow(2, 63), -BigInteger.Pow(2, 70)];
        Assert.Equal(ints, dict.Get<List<object?>>("ints"));
        Assert.Same(dict["ints"], dict["shared"]);
        Assert.Equal([0.5, -1e300, double.PositiveInfinity], dict.Get<List<object?>>("floats"));
        Assert.Equal("naïve € 😀 \n\\u0041 \"q\" '", dict.Get<string>("text"));
        Assert.Equal([0, 255], dict.Get<byte[]>("bytes"));
        Assert.Equal([7L], dict.Get<PickleSet>("set"));
        Assert.Equal([8L], dict.Get<PickleSet>("frozen"));
        Assert.True(dict.TryGetValue(3, out object? three) && three is "three");
        Assert.True(dict.TryGetValue(new object?[] { 1L, "a" }, out object? pair) && pair is "pair");
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public void Tuples_and_objects_keep_their_structure(int protocol)
    {
        PickleDict dict = Sample(protocol);

        object?[][] tuples = [.. dict.Get<List<object?>>("tuples").Cast<object?[]>()];
        Assert.Equal([0, 1, 2, 3, 4], tuples.Select(tuple => tuple.Length));
        Assert.Equal([1L, 2L, 3L, 4L], tuples[4]);
        PickleDict ordered = dict.Get<PickleDict>("ordered");
        Assert.True(ordered.IsOrderedDict);
        Assert.Equal(["b", "a"], ordered.Keys);
        PickleObject space = dict.Get<PickleObject>("space");
        Assert.Equal("argparse.Namespace", space.Global.FullName);
        Assert.Equal(0.1, ((PickleDict)space.State!).Get<double>("lr"));
    }

    private static PickleDict Sample(int protocol) => (PickleDict)Pickle.Load(
        Convert.FromBase64String(Samples[protocol]),
        new PickleOptions { AllowedGlobals = new HashSet<string> { "argparse.Namespace" } })!;

    private static readonly string[] Samples =
    [
        "KGRwMApWbm9uZQpwMQpOc1ZmbGFncwpwMgoobHAzCkkwMQphSTAwCmFzVmludHMKcDQKKGxwNQpJMAphSS0xCmFJMjU1CmFJMjU2CmFJNjU1MzUKYUk2NTUzNgphSS0yMTQ3NDgzNjQ4"
            + "CmFMMjE0NzQ4MzY0OEwKYUw0NjExNjg2MDE4NDI3Mzg3OTA0TAphTC05MjIzMzcyMDM2ODU0Nzc1ODA4TAphTDkyMjMzNzIwMzY4NTQ3NzU4MDhMCmFMLTExODA1OTE2MjA3MTc0MTEz"
            + "MDM0MjRMCmFzVmZsb2F0cwpwNgoobHA3CkYwLjUKYUYtMWUrMzAwCmFGaW5mCmFzVnRleHQKcDgKVm5h73ZlIFx1MjBhYyBcVTAwMDFmNjAwIFx1MDAwYVx1MDA1Y3UwMDQxICJxIiAn"
            + "CnA5CnNWYnl0ZXMKcDEwCmNfY29kZWNzCmVuY29kZQpwMTEKKFZcdTAwMDD/CnAxMgpWbGF0aW4xCnAxMwp0cDE0ClJwMTUKc1Z0dXBsZXMKcDE2CihscDE3Cih0YShJMQp0cDE4CmEo"
            + "STEKSTIKdHAxOQphKEkxCkkyCkkzCnRwMjAKYShJMQpJMgpJMwpJNAp0cDIxCmFzVnNldApwMjIKY19fYnVpbHRpbl9fCnNldApwMjMKKChscDI0Ckk3CmF0cDI1ClJwMjYKc1Zmcm96"
            + "ZW4KcDI3CmNfX2J1aWx0aW5fXwpmcm96ZW5zZXQKcDI4CigobHAyOQpJOAphdHAzMApScDMxCnNWb3JkZXJlZApwMzIKY2NvbGxlY3Rpb25zCk9yZGVyZWREaWN0CnAzMwoodFJwMzQK"
            + "VmIKcDM1CkkxCnNWYQpwMzYKSTIKc3NWc3BhY2UKcDM3CmNjb3B5X3JlZwpfcmVjb25zdHJ1Y3RvcgpwMzgKKGNhcmdwYXJzZQpOYW1lc3BhY2UKcDM5CmNfX2J1aWx0aW5fXwpvYmpl"
            + "Y3QKcDQwCk50cDQxClJwNDIKKGRwNDMKVmxyCnA0NApGMC4xCnNWbmFtZQpwNDUKVngKcDQ2CnNic0kzClZ0aHJlZQpwNDcKcyhJMQpnMzYKdHA0OApWcGFpcgpwNDkKc1ZzaGFyZWQK"
            + "cDUwCmc1CnMu",
        "fXEAKFgEAAAAbm9uZXEBTlgFAAAAZmxhZ3NxAl1xAyhJMDEKSTAwCmVYBAAAAGludHNxBF1xBShLAEr/////S/9NAAFN//9KAAABAEoAAACATDIxNDc0ODM2NDhMCkw0NjExNjg2MDE4"
            + "NDI3Mzg3OTA0TApMLTkyMjMzNzIwMzY4NTQ3NzU4MDhMCkw5MjIzMzcyMDM2ODU0Nzc1ODA4TApMLTExODA1OTE2MjA3MTc0MTEzMDM0MjRMCmVYBgAAAGZsb2F0c3EGXXEHKEc/4AAA"
            + "AAAAAEf+N+Q8iAB1nEd/8AAAAAAAAGVYBAAAAHRleHRxCFgdAAAAbmHDr3ZlIOKCrCDwn5iAIApcdTAwNDEgInEiICdxCVgFAAAAYnl0ZXNxCmNfY29kZWNzCmVuY29kZQpxCyhYAwAA"
            + "AADDv3EMWAYAAABsYXRpbjFxDXRxDlJxD1gGAAAAdHVwbGVzcRBdcREoKShLAXRxEihLAUsCdHETKEsBSwJLA3RxFChLAUsCSwNLBHRxFWVYAwAAAHNldHEWY19fYnVpbHRpbl9fCnNl"
            + "dApxFyhdcRhLB2F0cRlScRpYBgAAAGZyb3plbnEbY19fYnVpbHRpbl9fCmZyb3plbnNldApxHChdcR1LCGF0cR5ScR9YBwAAAG9yZGVyZWRxIGNjb2xsZWN0aW9ucwpPcmRlcmVkRGlj"
            + "dApxISlScSIoWAEAAABicSNLAVgBAAAAYXEkSwJ1WAUAAABzcGFjZXElY2NvcHlfcmVnCl9yZWNvbnN0cnVjdG9yCnEmKGNhcmdwYXJzZQpOYW1lc3BhY2UKcSdjX19idWlsdGluX18K"
            + "b2JqZWN0CnEoTnRxKVJxKn1xKyhYAgAAAGxycSxHP7mZmZmZmZpYBAAAAG5hbWVxLVgBAAAAeHEudWJLA1gFAAAAdGhyZWVxLyhLAWgkdHEwWAQAAABwYWlycTFYBgAAAHNoYXJlZHEy"
            + "aAV1Lg==",
        "gAJ9cQAoWAQAAABub25lcQFOWAUAAABmbGFnc3ECXXEDKIiJZVgEAAAAaW50c3EEXXEFKEsASv////9L/00AAU3//0oAAAEASgAAAICKBQAAAIAAiggAAAAAAAAAQIoIAAAAAAAAAICK"
            + "CQAAAAAAAACAAIoJAAAAAAAAAADAZVgGAAAAZmxvYXRzcQZdcQcoRz/gAAAAAAAAR/435DyIAHWcR3/wAAAAAAAAZVgEAAAAdGV4dHEIWB0AAABuYcOvdmUg4oKsIPCfmIAgClx1MDA0"
            + "MSAicSIgJ3EJWAUAAABieXRlc3EKY19jb2RlY3MKZW5jb2RlCnELWAMAAAAAw79xDFgGAAAAbGF0aW4xcQ2GcQ5ScQ9YBgAAAHR1cGxlc3EQXXERKClLAYVxEksBSwKGcRNLAUsCSwOH"
            + "cRQoSwFLAksDSwR0cRVlWAMAAABzZXRxFmNfX2J1aWx0aW5fXwpzZXQKcRddcRhLB2GFcRlScRpYBgAAAGZyb3plbnEbY19fYnVpbHRpbl9fCmZyb3plbnNldApxHF1xHUsIYYVxHlJx"
            + "H1gHAAAAb3JkZXJlZHEgY2NvbGxlY3Rpb25zCk9yZGVyZWREaWN0CnEhKVJxIihYAQAAAGJxI0sBWAEAAABhcSRLAnVYBQAAAHNwYWNlcSVjYXJncGFyc2UKTmFtZXNwYWNlCnEmKYFx"
            + "J31xKChYAgAAAGxycSlHP7mZmZmZmZpYBAAAAG5hbWVxKlgBAAAAeHErdWJLA1gFAAAAdGhyZWVxLEsBaCSGcS1YBAAAAHBhaXJxLlgGAAAAc2hhcmVkcS9oBXUu",
        "gAN9cQAoWAQAAABub25lcQFOWAUAAABmbGFnc3ECXXEDKIiJZVgEAAAAaW50c3EEXXEFKEsASv////9L/00AAU3//0oAAAEASgAAAICKBQAAAIAAiggAAAAAAAAAQIoIAAAAAAAAAICK"
            + "CQAAAAAAAACAAIoJAAAAAAAAAADAZVgGAAAAZmxvYXRzcQZdcQcoRz/gAAAAAAAAR/435DyIAHWcR3/wAAAAAAAAZVgEAAAAdGV4dHEIWB0AAABuYcOvdmUg4oKsIPCfmIAgClx1MDA0"
            + "MSAicSIgJ3EJWAUAAABieXRlc3EKQwIA/3ELWAYAAAB0dXBsZXNxDF1xDSgpSwGFcQ5LAUsChnEPSwFLAksDh3EQKEsBSwJLA0sEdHERZVgDAAAAc2V0cRJjYnVpbHRpbnMKc2V0CnET"
            + "XXEUSwdhhXEVUnEWWAYAAABmcm96ZW5xF2NidWlsdGlucwpmcm96ZW5zZXQKcRhdcRlLCGGFcRpScRtYBwAAAG9yZGVyZWRxHGNjb2xsZWN0aW9ucwpPcmRlcmVkRGljdApxHSlScR4o"
            + "WAEAAABicR9LAVgBAAAAYXEgSwJ1WAUAAABzcGFjZXEhY2FyZ3BhcnNlCk5hbWVzcGFjZQpxIimBcSN9cSQoWAIAAABscnElRz+5mZmZmZmaWAQAAABuYW1lcSZYAQAAAHhxJ3ViSwNY"
            + "BQAAAHRocmVlcShLAWgghnEpWAQAAABwYWlycSpYBgAAAHNoYXJlZHEraAV1Lg==",
        "gASVrgEAAAAAAAB9lCiMBG5vbmWUTowFZmxhZ3OUXZQoiIlljARpbnRzlF2UKEsASv////9L/00AAU3//0oAAAEASgAAAICKBQAAAIAAiggAAAAAAAAAQIoIAAAAAAAAAICKCQAAAAAA"
            + "AACAAIoJAAAAAAAAAADAZYwGZmxvYXRzlF2UKEc/4AAAAAAAAEf+N+Q8iAB1nEd/8AAAAAAAAGWMBHRleHSUjB1uYcOvdmUg4oKsIPCfmIAgClx1MDA0MSAicSIgJ5SMBWJ5dGVzlEMC"
            + "AP+UjAZ0dXBsZXOUXZQoKUsBhZRLAUsChpRLAUsCSwOHlChLAUsCSwNLBHSUZYwDc2V0lI+UKEsHkIwGZnJvemVulChLCJGUjAdvcmRlcmVklIwLY29sbGVjdGlvbnOUjAtPcmRlcmVk"
            + "RGljdJSTlClSlCiMAWKUSwGMAWGUSwJ1jAVzcGFjZZSMCGFyZ3BhcnNllIwJTmFtZXNwYWNllJOUKYGUfZQojAJscpRHP7mZmZmZmZqMBG5hbWWUjAF4lHViSwOMBXRocmVllEsBaByG"
            + "lIwEcGFpcpSMBnNoYXJlZJRoBXUu",
        "gAWVrgEAAAAAAAB9lCiMBG5vbmWUTowFZmxhZ3OUXZQoiIlljARpbnRzlF2UKEsASv////9L/00AAU3//0oAAAEASgAAAICKBQAAAIAAiggAAAAAAAAAQIoIAAAAAAAAAICKCQAAAAAA"
            + "AACAAIoJAAAAAAAAAADAZYwGZmxvYXRzlF2UKEc/4AAAAAAAAEf+N+Q8iAB1nEd/8AAAAAAAAGWMBHRleHSUjB1uYcOvdmUg4oKsIPCfmIAgClx1MDA0MSAicSIgJ5SMBWJ5dGVzlEMC"
            + "AP+UjAZ0dXBsZXOUXZQoKUsBhZRLAUsChpRLAUsCSwOHlChLAUsCSwNLBHSUZYwDc2V0lI+UKEsHkIwGZnJvemVulChLCJGUjAdvcmRlcmVklIwLY29sbGVjdGlvbnOUjAtPcmRlcmVk"
            + "RGljdJSTlClSlCiMAWKUSwGMAWGUSwJ1jAVzcGFjZZSMCGFyZ3BhcnNllIwJTmFtZXNwYWNllJOUKYGUfZQojAJscpRHP7mZmZmZmZqMBG5hbWWUjAF4lHViSwOMBXRocmVllEsBaByG"
            + "lIwEcGFpcpSMBnNoYXJlZJRoBXUu",
    ];
}
