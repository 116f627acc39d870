package io.twostep.machine.model.pci;

import org.jspecify.annotations.Nullable;

/** A host bridge or a port of the tree: a node with a bus below it. */
final class PciPort {
  /** What a node is. */
  enum Kind {
    HOST_BRIDGE,
    ROOT_PORT,
    UPSTREAM_PORT,
    DOWNSTREAM_PORT
  }

  /** Which peer traffic a host bridge forwards. */
  enum Forward {
    /** To every host bridge that does so, too. */
    ANY,
    /** Among what is below it. */
    SAME,
    /** None. */
    NONE
  }

  final Kind kind;
  final String name;
  final String model;
  final int domain;

  /** The bus just below. */
  final int firstBus;

  /** The last bus below. */
  final int lastBus;

  final @Nullable PciPort parent;
  final Forward forward;

  /** What turns a bus address below a host bridge into a physical one when added. */
  final long busToPhys;

  /** Set by software while traffic flows; under the machine's lock. */
  volatile int accessControl;

  PciPort(
      Kind kind,
      String name,
      String model,
      int domain,
      int firstBus,
      int lastBus,
      @Nullable PciPort parent,
      Forward forward,
      long busToPhys,
      int accessControl) {
    this.kind = kind;
    this.name = name;
    this.model = model;
    this.domain = domain;
    this.firstBus = firstBus;
    this.lastBus = lastBus;
    this.parent = parent;
    this.forward = forward;
    this.busToPhys = busToPhys;
    this.accessControl = accessControl;
  }

  boolean holds(int inDomain, int bus) {
    return domain == inDomain && bus >= firstBus && bus <= lastBus;
  }

  int depth() {
    PciPort above = parent;
    return above == null ? 0 : above.depth() + 1;
  }

  /** Return the host bridge at the top. */
  PciPort hostBridge() {
    PciPort above = parent;
    return above == null ? this : above.hostBridge();
  }

  /** Tell whether the port keeps what is below it apart from its peers. */
  boolean isolates() {
    return (accessControl & AccessControl.ISOLATION) == AccessControl.ISOLATION;
  }

  @Override
  public String toString() {
    return name;
  }
}
