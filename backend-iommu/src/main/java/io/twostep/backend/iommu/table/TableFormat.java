package io.twostep.backend.iommu.table;

/**
 * Describes a page table format as data, so that one walker serves them all without a branch per format.
 *
 * <p>Tables are 4 KiB pages of 512 little-endian words; a word at level {@code k} spans {@code 2^(12 + 9k)} bytes. At
 * level {@code k > 0} a non-zero word is a pointer to a table when {@code (word & typeMask) == k * typeStep}, else a
 * leaf. A leaf spans one word, or, when {@code (word & contiguousMask) == contiguousType}, a run of equal words whose
 * length is written as trailing ones into its address field. Addresses occupy bits 51:12.
 *
 * @param name for messages
 * @param inputBits the width of I/O addresses
 * @param outputBits the width of physical addresses, at most 52
 * @param firstTop the level of the first root
 * @param lastTop the level to which the root may grow
 * @param pageSizes the sizes of leaves, as a set of powers of two; 4 KiB is always among them
 * @param typeMask the bits that tell pointers from leaves
 * @param typeStep what a pointer holds in those bits, per level
 * @param pointerBits what else every pointer holds
 * @param leafBits what every leaf holds
 * @param largeLeafBits what every leaf above level 0 holds that spans one word
 * @param contiguousMask the bits that tell contiguous leaves; zero if the format has none
 * @param contiguousType what a contiguous leaf holds in those bits; 1 if the format has none
 * @param readBits what {@link LeafAccess#READ} adds
 * @param writeBits what {@link LeafAccess#WRITE} adds
 * @param coherentBits what {@link LeafAccess#COHERENT} adds; zero if hardware cannot
 * @param dirtyBit what hardware sets in a leaf when a device wrote; zero if hardware does not
 */
public record TableFormat(
    String name,
    int inputBits,
    int outputBits,
    int firstTop,
    int lastTop,
    long pageSizes,
    long typeMask,
    long typeStep,
    long pointerBits,
    long leafBits,
    long largeLeafBits,
    long contiguousMask,
    long contiguousType,
    long readBits,
    long writeBits,
    long coherentBits,
    long dirtyBit) {

  static final long ADDRESS_MASK = 0x000f_ffff_ffff_f000L;

  /** Checks what the walker relies on. */
  public TableFormat {
    if ((pageSizes & 0x1fff) != 0x1000) {
      throw new IllegalArgumentException(name + ": leaves of 4 KiB must exist and be the smallest");
    }
    if (outputBits < 13 || outputBits > 52) {
      throw new IllegalArgumentException(name + ": physical addresses of " + outputBits + " bits do not fit an entry");
    }
    if (firstTop < 0 || firstTop > lastTop || lastTop > 5) {
      throw new IllegalArgumentException(name + ": root levels " + firstTop + ".." + lastTop + " are not within 0..5");
    }
    if (inputBits < 13 || inputBits > 64) {
      throw new IllegalArgumentException(name + ": I/O addresses cannot be " + inputBits + " bits wide");
    }
  }

  /** Returns the highest I/O address that translates. */
  public long lastIova() {
    return -1L >>> (64 - inputBits);
  }

  /** Tells what a leaf made with {@code access} really allows, which is more where the format cannot be as tight. */
  public int effectiveAccess(int access) {
    return accessOf(encodeAccess(access));
  }

  long encodeAccess(int access) {
    return leafBits
        | (-(access & 1L) & readBits)
        | (-((access >> 1) & 1L) & writeBits)
        | (-((access >> 2) & 1L) & coherentBits);
  }

  int accessOf(long leaf) {
    int access = (leaf & readBits) == readBits ? LeafAccess.READ : 0;
    access |= (leaf & writeBits) == writeBits ? LeafAccess.WRITE : 0;
    access |= coherentBits != 0 && (leaf & coherentBits) == coherentBits ? LeafAccess.COHERENT : 0;
    return access;
  }
}
