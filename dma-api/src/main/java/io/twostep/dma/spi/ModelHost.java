package io.twostep.dma.spi;

/** A machine whose devices are models. */
public interface ModelHost extends Machine {
  /**
   * Plug a model in and return its slot; the machine owns the model from then on.
   *
   * @throws IllegalArgumentException if the address is malformed or taken
   */
  DeviceSlot plug(DeviceAddress address, DeviceModel model, SlotOptions options);

  /** Tell whether it keeps the translations of its devices itself, as a {@link HostManagedIommu}, so that no backend can write tables. */
  default boolean keepsTranslations() {
    return false;
  }

  /** Pull a device out without warning: its registers read all ones and its accesses end. */
  void unplug(DeviceAddress address);

  /**
   * How a device stands in its machine.
   *
   * @param trusted whether it is trusted
   * @param coherent whether it sees CPU caches
   * @param translation what lies between it and memory
   * @param group name of the group it shares an address space with; empty for its own
   * @param addressBits width of the I/O address space, for TRANSLATED
   */
  record SlotOptions(
      boolean trusted, boolean coherent, AddressSpace.Translation translation, String group, int addressBits) {
    /** A trusted, coherent device behind an IOMMU of 48 bits, in a group of its own. */
    public static final SlotOptions DEFAULT =
        new SlotOptions(true, true, AddressSpace.Translation.TRANSLATED, "", 48);

    /** Return a copy with another {@link #translation}. */
    public SlotOptions withTranslation(AddressSpace.Translation other) {
      return new SlotOptions(trusted, coherent, other, group, addressBits);
    }

    /** Return a copy with another {@link #trusted}. */
    public SlotOptions withTrusted(boolean other) {
      return new SlotOptions(other, coherent, translation, group, addressBits);
    }

    /** Return a copy with another {@link #coherent}. */
    public SlotOptions withCoherent(boolean other) {
      return new SlotOptions(trusted, other, translation, group, addressBits);
    }

    /** Return a copy with another {@link #group}. */
    public SlotOptions withGroup(String other) {
      return new SlotOptions(trusted, coherent, translation, other, addressBits);
    }

    /** Return a copy with another {@link #addressBits}. */
    public SlotOptions withAddressBits(int other) {
      return new SlotOptions(trusted, coherent, translation, group, other);
    }
  }
}
