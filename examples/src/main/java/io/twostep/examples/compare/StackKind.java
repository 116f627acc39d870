package io.twostep.examples.compare;

import static io.twostep.examples.compare.MapStrategy.BOUNCE;
import static io.twostep.examples.compare.MapStrategy.LAZY;
import static io.twostep.examples.compare.MapStrategy.PER_PAGE;
import static io.twostep.examples.compare.MapStrategy.REGISTERED;
import static io.twostep.examples.compare.MapStrategy.SCATTER_LIST;
import static io.twostep.examples.compare.MapStrategy.TWO_STEP;

import io.twostep.backend.iommu.IommuConfig;
import io.twostep.dma.spi.TableFormat;
import java.util.ArrayList;
import java.util.List;

/** A stack of backends for a kind of device, and the strategies that make sense on it. */
@SuppressWarnings("ImmutableEnumChecker")
public enum StackKind {
  /** Nothing translates. */
  DIRECT("direct", Terminal.DIRECT, Copying.NOTHING, Device.ORDINARY, PER_PAGE, SCATTER_LIST, TWO_STEP, REGISTERED),
  /** An IOMMU that reads the format it prefers. */
  IOMMU("iommu", Terminal.IOMMU, Copying.NOTHING, Device.ORDINARY, PER_PAGE, SCATTER_LIST, TWO_STEP, LAZY, REGISTERED),
  /** An IOMMU that reads AMD's format, version 1. */
  AMD_V1("iommu (amd-v1)", Terminal.AMD_V1, Copying.NOTHING, Device.ORDINARY, PER_PAGE, SCATTER_LIST, TWO_STEP, LAZY, REGISTERED),
  /** Nothing translates, and everything is copied. */
  BOUNCED_DIRECT("swiotlb,direct (forced)", Terminal.DIRECT, Copying.EVERYTHING, Device.ORDINARY, BOUNCE),
  /** An IOMMU, and everything is copied. */
  BOUNCED_IOMMU("swiotlb,iommu (forced)", Terminal.IOMMU, Copying.EVERYTHING, Device.ORDINARY, BOUNCE),
  /** An IOMMU, and a device that must not see what shares a page with its buffers. */
  UNTRUSTED("swiotlb,iommu (untrusted)", Terminal.IOMMU, Copying.EDGES, Device.UNTRUSTED, SCATTER_LIST, TWO_STEP, REGISTERED),
  /** Nothing translates, and a device that does not see CPU caches. */
  NON_COHERENT_DIRECT("swiotlb,direct (non-coherent)", Terminal.DIRECT, Copying.EDGES, Device.NON_COHERENT, SCATTER_LIST, TWO_STEP, REGISTERED),
  /** An IOMMU, and a device that does not see CPU caches. */
  NON_COHERENT_IOMMU("swiotlb,iommu (non-coherent)", Terminal.IOMMU, Copying.EDGES, Device.NON_COHERENT, SCATTER_LIST, TWO_STEP, REGISTERED);

  private final String label;
  private final Terminal terminal;
  private final Copying copying;
  private final Device device;
  private final List<MapStrategy> strategies;

  StackKind(String label, Terminal terminal, Copying copying, Device device, MapStrategy... strategies) {
    this.label = label;
    this.terminal = terminal;
    this.copying = copying;
    this.device = device;
    this.strategies = List.of(strategies);
  }

  private enum Terminal {
    DIRECT,
    IOMMU,
    AMD_V1
  }

  /** What the bounce layer copies; edges are those which the device must not share, and there may be none. */
  private enum Copying {
    NOTHING,
    EDGES,
    EVERYTHING
  }

  private enum Device {
    ORDINARY,
    UNTRUSTED,
    NON_COHERENT
  }

  /** Return the name in reports. */
  public String label() {
    return label;
  }

  /** Tell whether an IOMMU is at the bottom. */
  public boolean translates() {
    return terminal != Terminal.DIRECT;
  }

  /** Return the name of the table format, for the configuration of an IOMMU. */
  String tableFormat() {
    return terminal == Terminal.AMD_V1 ? TableFormat.AMD_V1 : IommuConfig.AUTO;
  }

  /** Tell whether there is a bounce layer. */
  boolean bounces() {
    return copying != Copying.NOTHING;
  }

  /** Tell whether the bounce layer copies everything, needed or not. */
  boolean bouncesEverything() {
    return copying == Copying.EVERYTHING;
  }

  /** Tell whether the device is trusted. */
  boolean trusted() {
    return device != Device.UNTRUSTED;
  }

  /** Tell whether the device sees CPU caches. */
  boolean coherent() {
    return device != Device.NON_COHERENT;
  }

  /** Return every stack with every strategy that makes sense on it. */
  static List<Case> cases() {
    List<Case> cases = new ArrayList<>();
    for (StackKind stack : values()) {
      stack.strategies.forEach(strategy -> cases.add(new Case(stack, strategy)));
    }
    return cases;
  }

  /**
   * A stack with a strategy.
   *
   * @param stack the stack
   * @param strategy the strategy
   */
  public record Case(StackKind stack, MapStrategy strategy) {
    /** Return the name in reports. */
    public String label() {
      return stack.label + " / " + strategy.text();
    }
  }
}
