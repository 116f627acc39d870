package io.twostep.examples.compare;

import java.util.ArrayList;
import java.util.List;

/** A stack of backends, and the strategies that make sense on it. */
@SuppressWarnings("ImmutableEnumChecker")
public enum StackKind {
  /** Nothing translates. */
  DIRECT("direct", List.of(MapStrategy.PER_PAGE, MapStrategy.SCATTER_LIST, MapStrategy.TWO_STEP, MapStrategy.REGISTERED)),
  /** An IOMMU, and a device that is trusted. */
  IOMMU("iommu", List.of(MapStrategy.PER_PAGE, MapStrategy.SCATTER_LIST, MapStrategy.TWO_STEP, MapStrategy.LAZY, MapStrategy.REGISTERED)),
  /** Nothing translates, and everything is copied. */
  BOUNCED_DIRECT("swiotlb,direct (forced)", List.of(MapStrategy.BOUNCE)),
  /** An IOMMU, and everything is copied. */
  BOUNCED_IOMMU("swiotlb,iommu (forced)", List.of(MapStrategy.BOUNCE)),
  /** An IOMMU, and a device that must not see what shares a page with its buffers. */
  UNTRUSTED("swiotlb,iommu (untrusted)", List.of(MapStrategy.SCATTER_LIST, MapStrategy.TWO_STEP, MapStrategy.REGISTERED));

  private final String label;
  private final List<MapStrategy> strategies;

  StackKind(String label, List<MapStrategy> strategies) {
    this.label = label;
    this.strategies = strategies;
  }

  /** Return the name in reports. */
  public String label() {
    return label;
  }

  /** Tell whether an IOMMU is at the bottom. */
  public boolean translates() {
    return this != DIRECT && this != BOUNCED_DIRECT;
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
