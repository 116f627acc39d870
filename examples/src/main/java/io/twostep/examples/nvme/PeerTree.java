package io.twostep.examples.nvme;

import java.util.Arrays;
import java.util.List;

/** A PCI tree with two NVMe controllers, made so that they reach each other in one of the ways there are. */
public enum PeerTree {
  /** Below one switch that lets peers pass. */
  SWITCH(
      "switch",
      """
      host-bridge 8086:2020 bus=00-1f
      root-port 00:01.0 bus=01-0f
      upstream-port 01:00.0 bus=02-0f
      downstream-port 02:00.0 bus=03
      downstream-port 02:01.0 bus=04
      """),
  /** Below root ports of one host bridge that forwards. */
  HOST_BRIDGE(
      "host-bridge",
      """
      host-bridge 8086:2020 bus=00-1f
      root-port 00:01.0 bus=03
      root-port 00:02.0 bus=04
      """),
  /** Below one switch whose ports send peers' requests up to the host bridge. */
  ACS(
      "acs",
      """
      host-bridge 8086:2020 bus=00-1f
      root-port 00:01.0 bus=01-0f acs=isolate
      upstream-port 01:00.0 bus=02-0f
      downstream-port 02:00.0 bus=03 acs=isolate
      downstream-port 02:01.0 bus=04 acs=isolate
      """);

  private final String text;
  private final String tree;

  PeerTree(String text, String tree) {
    this.text = text;
    this.tree = tree;
  }

  /** Return the name that users give. */
  public String text() {
    return text;
  }

  /** Return the names of all. */
  public static List<String> texts() {
    return Arrays.stream(values()).map(PeerTree::text).toList();
  }

  /** Return the tree as the modelled machine's setting; the two devices are at {@code 0000:03:00.0} and {@code 0000:04:00.0}. */
  public String tree() {
    return tree;
  }
}
