package io.twostep.device.nvme;

/**
 * What a driver has done since it was opened.
 *
 * @param requests requests completed, successful or not
 * @param commands I/O commands sent, retries included
 * @param bytes data bytes moved by successful commands
 * @param hardwareEntries DMA ranges handed to the controller for data and metadata
 * @param listPieces pieces of list memory that descriptors needed
 * @param splits commands beyond the first of their request
 * @param retries commands sent again
 * @param timeouts commands that ran past their deadline
 * @param aborts abort commands sent
 * @param resets controller resets
 * @param droppedCompletions completions that matched no outstanding command
 * @param recoveredCompletions completions found only because a command had run past its deadline: lost interrupts
 * @param doorbellWrites writes to doorbell registers
 */
public record NvmeStatistics(
    long requests,
    long commands,
    long bytes,
    long hardwareEntries,
    long listPieces,
    long splits,
    long retries,
    long timeouts,
    long aborts,
    long resets,
    long droppedCompletions,
    long recoveredCompletions,
    long doorbellWrites) {
  NvmeStatistics plus(NvmeStatistics other) {
    return new NvmeStatistics(
        requests + other.requests,
        commands + other.commands,
        bytes + other.bytes,
        hardwareEntries + other.hardwareEntries,
        listPieces + other.listPieces,
        splits + other.splits,
        retries + other.retries,
        timeouts + other.timeouts,
        aborts + other.aborts,
        resets + other.resets,
        droppedCompletions + other.droppedCompletions,
        recoveredCompletions + other.recoveredCompletions,
        doorbellWrites + other.doorbellWrites);
  }
}
