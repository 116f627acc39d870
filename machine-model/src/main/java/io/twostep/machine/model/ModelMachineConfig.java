package io.twostep.machine.model;

import io.twostep.dma.spi.OffsetWindow;
import io.twostep.dma.spi.Settings;
import io.twostep.machine.model.memory.PhysicalLayout;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * What a modelled machine is made of.
 *
 * @param memory bytes of RAM, whole 4 KiB frames from 1 MiB to 1 TiB; stored sparsely
 * @param seed where everything random comes from
 * @param directory where the file behind RAM is made and at once deleted
 * @param iotlb how the translation hardware caches
 * @param evictDirtyLines whether CPU caches write dirty lines back at random moments, for devices that do not snoop
 * @param formats names of the table formats it reads, preferred first
 * @param addressBits widest I/O address the hardware translates; a slot may ask for less
 * @param smallestPage smallest leaf, bytes
 * @param largestPage largest leaf, bytes
 * @param missNanos simulated cost of a translation that no cache answers
 * @param tableReadNanos simulated cost of each table it reads
 * @param invalidationNanos simulated cost of an invalidation
 * @param busBits address bits the interconnect passes
 * @param inboundWindows where RAM appears to devices that nothing translates for, whole 4 KiB pages; empty for the same addresses
 * @param virtualTime whether time is virtual
 * @param stepNanos virtual nanoseconds a pause takes in which something happened
 * @param randomOrder whether models get their turns in random order instead of first come, first served
 * @param isolateFunctions whether every function is its own group; false puts functions of one bus into one group; without meaning where there is a tree
 * @param tree the PCI tree, as the setting {@code tree} describes it; empty for a flat machine whose devices do not reach each other
 */
public record ModelMachineConfig(
    long memory,
    long seed,
    Path directory,
    IotlbMode iotlb,
    boolean evictDirtyLines,
    List<String> formats,
    int addressBits,
    long smallestPage,
    long largestPage,
    long missNanos,
    long tableReadNanos,
    long invalidationNanos,
    int busBits,
    List<OffsetWindow> inboundWindows,
    boolean virtualTime,
    long stepNanos,
    boolean randomOrder,
    boolean isolateFunctions,
    String tree) {

  public ModelMachineConfig {
    Objects.requireNonNull(directory, "directory");
    Objects.requireNonNull(iotlb, "iotlb");
    Objects.requireNonNull(tree, "tree");
    formats = List.copyOf(formats);
    inboundWindows = List.copyOf(inboundWindows);
    require(!formats.isEmpty(), "at least one table format is needed");
    require(addressBits >= 32 && addressBits <= 64, "address bits " + addressBits + " must be 32..64");
    require(busBits >= 20 && busBits <= 64, "bus bits " + busBits + " must be 20..64");
    require(
        Long.bitCount(smallestPage) == 1 && Long.bitCount(largestPage) == 1 && smallestPage >= 4096 && largestPage >= smallestPage,
        "pages from " + smallestPage + " to " + largestPage + " bytes must be powers of two from 4096 on");
    for (OffsetWindow window : inboundWindows) {
      require(
          ((window.firstPhys() | window.firstDmaAddress() | window.length()) & (PhysicalLayout.FRAME_SIZE - 1)) == 0,
          "inbound " + window + " must begin and end on 4 KiB pages");
    }
    require(missNanos >= 0 && tableReadNanos >= 0 && invalidationNanos >= 0 && stepNanos > 0, "times must not be negative, and a step positive");
  }

  /** Return the default machine: 64 GiB, seed 1, an IOTLB that behaves, virtual time. */
  public static ModelMachineConfig defaults() {
    return of(Map.of());
  }

  /**
   * Return the default machine with some settings changed, by the names and in the form that the plugin {@code model} understands.
   *
   * @throws IllegalArgumentException naming every unknown setting, or the value that does not fit
   */
  public static ModelMachineConfig of(Map<String, String> settings) {
    return ModelMachinePlugin.config(Settings.of(new ModelMachinePlugin(), settings));
  }

  private static void require(boolean holds, String message) {
    if (!holds) {
      throw new IllegalArgumentException(message);
    }
  }
}
