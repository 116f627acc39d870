package io.twostep.backend.iommu.table;

/** Reads tables as hardware does, from the specifications' bit positions and sharing nothing with what wrote them. */
abstract sealed class HardwareReader {
  private static final long FRAME = 0x000f_ffff_ffff_f000L;
  final FakeTableMemory memory;
  final RadixPageTable table;
  long phys;
  long leafLength;
  boolean readable;
  boolean writable;
  boolean coherent;

  private HardwareReader(FakeTableMemory memory, RadixPageTable table) {
    this.memory = memory;
    this.table = table;
  }

  /** Translates one address; false is a fault. */
  abstract boolean translate(long iova);

  /** Finds the word of the leaf for an address that translates. */
  abstract long leafWordAt(long iova);

  int access() {
    return (readable ? 1 : 0) | (writable ? 2 : 0) | (coherent ? 4 : 0);
  }

  static HardwareReader of(FakeTableMemory memory, RadixPageTable table) {
    return table.format().name().equals("AMDv1") ? new Amd(memory, table) : new Vtd(memory, table);
  }

  private static void demand(boolean rule, String what, long word) {
    if (!rule) {
      throw new AssertionError(what + ": 0x" + Long.toHexString(word));
    }
  }

  private static final class Vtd extends HardwareReader {
    private long wordAt;

    Vtd(FakeTableMemory memory, RadixPageTable table) {
      super(memory, table);
    }

    @Override
    long leafWordAt(long iova) {
      demand(translate(iova), "not present", iova);
      return wordAt;
    }

    @Override
    boolean translate(long iova) {
      int levels = table.levels();
      if (iova >>> (levels * 9 + 12) != 0) {
        return false;
      }
      long at = table.rootPhys();
      readable = true;
      writable = true;
      for (int shift = levels * 9 + 3; ; shift -= 9) {
        wordAt = at + ((iova >>> shift) & 0x1ff) * 8;
        long word = memory.word(wordAt);
        if ((word & 3) == 0) {
          demand(word == 0, "a hole holds bits", word);
          return false;
        }
        demand((word & ~(FRAME | 1 | 2 | 0x80 | 0x100 | 0x200 | 0x800)) == 0, "reserved bits are set", word);
        readable &= (word & 1) != 0;
        writable &= (word & 2) != 0;
        if (shift == 12 || (word & 0x80) != 0) {
          demand(shift > 12 || (word & 0x80) == 0, "page size bit in a 4 KiB leaf", word);
          leafLength = 1L << shift;
          demand((word & FRAME) % leafLength == 0, "leaf is not aligned", word);
          coherent = (word & 0x800) != 0;
          phys = (word & FRAME) + iova % leafLength;
          return true;
        }
        demand((word & ~FRAME) == 3, "pointer holds more than R and W", word);
        at = word & FRAME;
      }
    }
  }

  private static final class Amd extends HardwareReader {
    private long wordAt;

    Amd(FakeTableMemory memory, RadixPageTable table) {
      super(memory, table);
    }

    @Override
    long leafWordAt(long iova) {
      demand(translate(iova), "not present", iova);
      return wordAt;
    }

    @Override
    boolean translate(long iova) {
      int level = table.levels();
      if (level < 6 && iova >>> (12 + 9 * level) != 0) {
        return false;
      }
      long at = table.rootPhys();
      readable = true;
      writable = true;
      while (true) {
        int shift = 3 + 9 * level;
        long index = level == 6 ? iova >>> 57 : (iova >>> shift) & 511;
        wordAt = at + 8 * index;
        long word = memory.word(wordAt);
        if ((word & 1) == 0) {
          demand(word == 0, "a hole holds bits", word);
          return false;
        }
        readable &= (word >>> 61 & 1) == 1;
        writable &= (word >>> 62 & 1) == 1;
        int next = (int) (word >>> 9) & 7;
        if (next == 0 || next == 7) {
          coherent = (word >>> 60 & 1) == 1;
          demand((word & 0x8ff0_0000_0000_019eL) == 0, "reserved bits are set", word);
          int sizeShift = shift;
          long frame = word & FRAME;
          if (next == 7) {
            sizeShift = 13;
            for (int bit = 12; (frame >>> bit & 1) == 1; bit++) {
              frame &= ~(1L << bit);
              sizeShift++;
            }
            demand(sizeShift > shift && sizeShift < shift + 9, "contiguous size does not belong to this level", word);
            long run = wordAt & ~((8L << (sizeShift - shift)) - 1);
            for (long each = run; each < run + (8L << (sizeShift - shift)); each += 8) {
              demand((memory.word(each) & ~0x60L) == (word & ~0x60L), "contiguous words differ", word);
            }
          }
          leafLength = 1L << sizeShift;
          demand(frame % leafLength == 0, "leaf is not aligned", word);
          phys = frame + (iova & (leafLength - 1));
          return true;
        }
        demand(next == level - 1, "pointer skips a level", word);
        demand((word & ~FRAME) == (0x6000_0000_0000_0001L | (long) next << 9), "pointer permissions", word);
        at = word & FRAME;
        level = next;
      }
    }
  }
}
