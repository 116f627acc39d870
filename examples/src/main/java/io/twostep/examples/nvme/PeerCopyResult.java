package io.twostep.examples.nvme;

import java.util.List;

/**
 * What came of copying a file from one controller to another on one tree.
 *
 * @param path the tree
 * @param mapType how the second controller reaches the first one's memory
 * @param reason why so, in words
 * @param tree the tree in lines, for people
 * @param route names of the nodes that a request passes, from the second controller to the first
 * @param verified whether every byte arrived in both copies, and took the way it was said to take
 * @param hardwareEntries DMA ranges handed to both controllers
 * @param iovaAllocations ranges of I/O addresses that mappings took, from the allocator or what their handle kept
 * @param invalidations invalidations the hardware was asked for
 * @param hostBytes bytes that requests moved to and from host memory
 * @param peerBytes bytes that requests moved to and from the first controller's memory
 */
public record PeerCopyResult(
    PeerTree path,
    String mapType,
    String reason,
    List<String> tree,
    List<String> route,
    boolean verified,
    long hardwareEntries,
    long iovaAllocations,
    long invalidations,
    long hostBytes,
    long peerBytes) {
  public PeerCopyResult {
    tree = List.copyOf(tree);
    route = List.copyOf(route);
  }
}
