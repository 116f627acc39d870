package io.twostep.examples.nvmeof;

import io.twostep.backend.p2p.P2pConfig;
import io.twostep.examples.nvme.PeerTree;

/** Where the target's controller and adapter sit; those of the {@code p2p} command, and one on which they do not reach each other. */
public enum TargetTree {
  /** Below one switch that lets peers pass. */
  SWITCH("switch", PeerTree.SWITCH, true),
  /** Below root ports of one host bridge that forwards. */
  HOST_BRIDGE("host-bridge", PeerTree.HOST_BRIDGE, true),
  /** Below one switch whose ports send peers' requests up to the host bridge. */
  ACS("acs", PeerTree.ACS, true),
  /** Below root ports of one host bridge of which nobody knows that it forwards. */
  APART("apart", PeerTree.HOST_BRIDGE, false);

  private final String text;
  private final PeerTree tree;
  private final boolean bridgesForward;

  TargetTree(String text, PeerTree tree, boolean bridgesForward) {
    this.text = text;
    this.tree = tree;
    this.bridgesForward = bridgesForward;
  }

  /** Return its name for people. */
  public String text() {
    return text;
  }

  PeerTree tree() {
    return tree;
  }

  /** Return what the peer layer is to believe of host bridges. */
  P2pConfig belief() {
    return bridgesForward ? P2pConfig.defaults() : new P2pConfig("");
  }
}
