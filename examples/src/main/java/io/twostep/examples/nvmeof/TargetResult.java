package io.twostep.examples.nvmeof;

/**
 * What came of storing a file on a target and reading it back.
 *
 * @param tree where controller and adapter sit
 * @param mapType how the adapter reaches the controller's memory
 * @param reason why so, in words
 * @param verified whether every byte came back
 * @param commands how many commands there were
 * @param inFlight the most of them that the target had under way at once
 * @param dataBytes bytes of all commands' data
 * @param directBytes bytes that the adapter moved to and from the controller's memory by bus address
 * @param bridgedBytes the same through the host bridge
 * @param hostDataBytes bytes of commands' data that devices moved to and from host memory
 * @param hostBytes everything that devices moved to and from host memory, queue entries and the like included
 */
public record TargetResult(
    TargetTree tree,
    String mapType,
    String reason,
    boolean verified,
    int commands,
    int inFlight,
    long dataBytes,
    long directBytes,
    long bridgedBytes,
    long hostDataBytes,
    long hostBytes) {}
