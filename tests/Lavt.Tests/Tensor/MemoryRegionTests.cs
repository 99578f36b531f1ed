using Lavt.Tensors;
using Xunit;

namespace Lavt.Tests.Tensors;

public class MemoryRegionTests
{
    [Fact]
    public void Parts_do_not_overlap_and_join_again()
    {
        MemoryRegion region = new(1000, 100_000);
        Random random = new(1);
        List<(nint Address, nint Size)> used = [];
        for (int step = 0; step < 5000; step++)
        {
            nint size = random.Next(1, 6000), address = random.Next(3) > 0 ? region.Take(size) : 0;
            if (address != 0)
            {
                Assert.True(region.Holds(address) && region.Holds(address + size - 1));
                Assert.DoesNotContain(used, other => address < other.Address + other.Size && other.Address < address + size);
                used.Add((address, size));
            }
            else if (used.Count > 0)
            {
                int at = random.Next(used.Count);
                region.Give(used[at].Address, used[at].Size);
                used.RemoveAt(at);
            }
        }
        Assert.False(region.IsFree);
        foreach ((nint address, nint size) in used) region.Give(address, size);
        Assert.True(region.IsFree);
        Assert.Equal(1000, region.Take(100_000));
        Assert.Equal(0, region.Take(1));
    }

    [Fact]
    public void The_first_part_that_is_large_enough_serves_a_request()
    {
        MemoryRegion region = new(64, 640);
        nint first = region.Take(64), small = region.Take(64), second = region.Take(64), large = region.Take(192);
        region.Give(small, 64);
        region.Give(large, 192);
        Assert.Equal(large, region.Take(128));
        Assert.Equal(small, region.Take(64));
        region.Give(first, 64);
        region.Give(second, 64);
        region.Give(small, 64);
        Assert.Equal(first, region.Take(192));
    }
}
