package io.twostep.backend.swiotlb;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.backend.direct.DirectBackend;
import io.twostep.backend.iommu.FlushPolicy;
import io.twostep.backend.iommu.IommuBackend;
import io.twostep.backend.iommu.IommuConfig;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaTransfer;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.AddressSpace.Translation;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import java.util.random.RandomGenerator;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Random requests on every kind of stack: the device sees exactly the bytes of the ranges, and what it writes lands there and nowhere else. */
class TransferHistoryTest {
  private static final int REQUESTS = 400;
  private static final int BLOCK = 256 << 10;

  /** Stacks on which the layer has something to do. */
  enum Kind {
    FORCED_DIRECT,
    MASKED_DIRECT,
    NON_COHERENT_DIRECT,
    UNTRUSTED_VTD,
    UNTRUSTED_AMD,
    UNTRUSTED_LARGE_GRANULE,
    TRUSTED_LARGE_GRANULE,
    NON_COHERENT_IOMMU,
    NON_COHERENT_UNTRUSTED,
    FORCED_LAZY_IOMMU;

    Rig rig() {
      SlotOptions plain = SlotOptions.DEFAULT.withTranslation(Translation.NONE);
      SlotOptions behind = SlotOptions.DEFAULT;
      DeviceLimits any = DeviceLimits.UNLIMITED;
      IommuConfig iommu = IommuConfig.defaults();
      SwiotlbConfig some = Rig.CONFIG;
      return switch (this) {
        case FORCED_DIRECT -> new Rig(new DirectBackend(), plain, any.withMinAlignMask(4095), some.withForce(true));
        case MASKED_DIRECT -> new Rig(new DirectBackend(), plain, DeviceLimits.ofBits(24), some);
        case NON_COHERENT_DIRECT -> new Rig(new DirectBackend(), plain.withCoherent(false), any, some);
        case UNTRUSTED_VTD -> behind(iommu, behind.withTrusted(false), some, "vtd");
        case UNTRUSTED_AMD -> behind(iommu, behind.withTrusted(false), some, "amd");
        case UNTRUSTED_LARGE_GRANULE -> behind(iommu.withGranule(64 << 10), behind.withTrusted(false), some.withSize(4 << 20, 16 << 20), "amd");
        case TRUSTED_LARGE_GRANULE -> behind(iommu.withGranule(64 << 10), behind, some.withSize(4 << 20, 16 << 20), "amd");
        case NON_COHERENT_IOMMU -> behind(iommu, behind.withCoherent(false), some, "vtd");
        case NON_COHERENT_UNTRUSTED -> behind(iommu, behind.withCoherent(false).withTrusted(false), some, "vtd");
        case FORCED_LAZY_IOMMU -> behind(iommu.withFlush(FlushPolicy.LAZY), behind, some.withForce(true), "vtd");
      };
    }

    private static Rig behind(IommuConfig iommu, SlotOptions options, SwiotlbConfig config, String format) {
      return new Rig(new IommuBackend(iommu), options, DeviceLimits.UNLIMITED, config, "formats", format, "iotlb", "adversarial");
    }
  }

  @ParameterizedTest
  @EnumSource
  void everyRequestMovesItsBytesAndNoOthers(Kind kind) {
    long seed = Seeds.next();
    RandomGenerator random = Seeds.random(seed);
    try (Rig rig = kind.rig(); DmaTransfer transfer = rig.mapper.newTransfer()) {
      MemoryBlock block = rig.allocate(BLOCK, MemoryPlacement.CONTIGUOUS);
      byte[] memory = Rig.patterned(BLOCK, 1);
      for (int i = 0; i < REQUESTS; i++) {
        request(rig, transfer, block, memory, random, kind + ", seed " + seed + ", request " + i);
      }
    }
  }

  private static void request(
      Rig rig, DmaTransfer transfer, MemoryBlock block, byte[] memory, RandomGenerator random, String where) {
    Parts parts = new Parts(random, block);
    DmaDirection direction = DmaDirection.values()[random.nextInt(DmaDirection.values().length)];
    long[] addresses = new long[1000];
    int[] lengths = new int[1000];
    int[] count = new int[1];
    transfer.map(
        new TestRanges(parts.phys, parts.length),
        direction,
        DmaAttributes.NONE,
        (address, length, kind) -> {
          addresses[count[0]] = address;
          lengths[count[0]++] = (int) length;
          return true;
        });
    int at = 0;
    for (int i = 0; i < count[0]; i++) {
      if (direction.deviceReads()) {
        byte[] seen = rig.device.read(addresses[i], lengths[i]);
        assertThat(seen).as(where + ": the device reads entry " + i).isEqualTo(parts.bytesOf(memory, at, lengths[i]));
      }
      if (direction.deviceWrites()) {
        // Some bytes of each entry are never written, and must stay as they were.
        int from = random.nextInt(lengths[i]);
        byte[] written = new byte[1 + random.nextInt(lengths[i] - from)];
        random.nextBytes(written);
        assertThat(rig.device.write(addresses[i] + from, written)).as(where).isTrue();
        parts.write(memory, at + from, written);
      }
      at += lengths[i];
    }
    assertThat(at).as(where).isEqualTo(parts.total);
    if (random.nextBoolean()) {
      transfer.syncForCpu(0, parts.total);
      requireMemory(block, memory, where + ": after sync");
    }
    transfer.unmap();
    requireMemory(block, memory, where + ": after unmap");
    assertThat(rig.slotsUsed()).as(where).isZero();
  }

  private static void requireMemory(MemoryBlock block, byte[] expected, String where) {
    assertThat(Rig.bytes(block.segment(), 0, BLOCK)).as(where).isEqualTo(expected);
  }

  /** Disjoint parts of a block, in order: on granules, on cache lines or anywhere. */
  private static final class Parts {
    final long[] phys;
    final long[] length;
    private final int[] offset;
    int total;

    Parts(RandomGenerator random, MemoryBlock block) {
      int count = 1 + random.nextInt(6);
      int share = BLOCK / 8;
      int unit = new int[] {1, 64, 4096}[random.nextInt(3)];
      phys = new long[count];
      length = new long[count];
      offset = new int[count];
      for (int i = 0; i < count; i++) {
        int from = random.nextInt(share / 2) / unit * unit;
        int bytes = Math.max(unit, random.nextInt(share / 2) / unit * unit);
        offset[i] = i * share + from;
        phys[i] = block.phys(offset[i]);
        length[i] = bytes;
        total += bytes;
      }
    }

    byte[] bytesOf(byte[] memory, int at, int bytes) {
      byte[] found = new byte[bytes];
      for (int i = 0; i < bytes; i++) {
        found[i] = memory[place(at + i)];
      }
      return found;
    }

    void write(byte[] memory, int at, byte[] bytes) {
      for (int i = 0; i < bytes.length; i++) {
        memory[place(at + i)] = bytes[i];
      }
    }

    private int place(int at) {
      int left = at;
      int i = 0;
      while (left >= length[i]) {
        left -= (int) length[i++];
      }
      return offset[i] + left;
    }
  }
}
