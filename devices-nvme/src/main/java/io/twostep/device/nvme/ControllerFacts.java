package io.twostep.device.nvme;

import io.twostep.device.nvme.host.SglSupport;
import io.twostep.device.nvme.wire.CapLayout;
import io.twostep.device.nvme.wire.IdentifyControllerLayout;
import java.lang.foreign.MemorySegment;

/**
 * What a controller said of itself when it was identified.
 *
 * @param maxTransfer the most data bytes of one command; Long.MAX_VALUE for no limit
 * @param maxDescriptors the most SGL data descriptors of one command
 * @param hostMemoryPreferred bytes of host memory that the controller would like to borrow; 0 for none
 * @param hostMemoryMinimum the least that is of use
 * @param hostMemoryPiece the least bytes of one piece
 * @param hostMemoryPieces the most pieces
 * @param retryDelay1 delay that a status may ask for, in units of 100 ms; and so on
 */
record ControllerFacts(
    String model,
    String serial,
    String firmware,
    int version,
    long maxTransfer,
    SglSupport sgl,
    int maxDescriptors,
    int optionalCommands,
    int optionalAdmin,
    boolean writeCache,
    int abortLimit,
    int optionalEvents,
    long shutdownNanos,
    int namespaces,
    long hostMemoryPreferred,
    long hostMemoryMinimum,
    long hostMemoryPiece,
    int hostMemoryPieces,
    int retryDelay1,
    int retryDelay2,
    int retryDelay3) {
  private static final long SECOND = 1_000_000_000L;
  private static final long DEFAULT_SHUTDOWN = 5 * SECOND;
  private static final long LONGEST_SHUTDOWN = 60 * SECOND;
  private static final int DESCRIPTORS = 256;
  private static final long HOST_MEMORY_UNIT = 4096;
  private static final int MOST_PIECES = 1024;

  static ControllerFacts of(MemorySegment data, long cap) {
    int mdts = IdentifyControllerLayout.MDTS.get(data, 0);
    int shift = mdts + 12 + (int) CapLayout.MPSMIN.get(cap);
    int descriptors = IdentifyControllerLayout.MSDBD.get(data, 0);
    int pieces = IdentifyControllerLayout.HMMAXD.get(data, 0);
    long exit = IdentifyControllerLayout.RTD3E.getUnsigned(data, 0) * 1_000;
    return new ControllerFacts(
        IdentifyControllerLayout.MN.getText(data, 0),
        IdentifyControllerLayout.SN.getText(data, 0),
        IdentifyControllerLayout.FR.getText(data, 0),
        IdentifyControllerLayout.VER.get(data, 0),
        mdts == 0 || shift > 62 ? Long.MAX_VALUE : 1L << shift,
        SglSupport.of(IdentifyControllerLayout.SGLS.get(data, 0)),
        descriptors == 0 ? DESCRIPTORS : Math.min(descriptors, DESCRIPTORS),
        IdentifyControllerLayout.ONCS.get(data, 0),
        IdentifyControllerLayout.OACS.get(data, 0),
        IdentifyControllerLayout.VWC_PRESENT.isSet(IdentifyControllerLayout.VWC.get(data, 0)),
        IdentifyControllerLayout.ACL.get(data, 0) + 1,
        IdentifyControllerLayout.OAES.get(data, 0),
        exit == 0 ? DEFAULT_SHUTDOWN : Math.clamp(exit, DEFAULT_SHUTDOWN, LONGEST_SHUTDOWN),
        IdentifyControllerLayout.NN.get(data, 0),
        IdentifyControllerLayout.HMPRE.getUnsigned(data, 0) * HOST_MEMORY_UNIT,
        IdentifyControllerLayout.HMMIN.getUnsigned(data, 0) * HOST_MEMORY_UNIT,
        IdentifyControllerLayout.HMMINDS.getUnsigned(data, 0) * HOST_MEMORY_UNIT,
        pieces == 0 ? MOST_PIECES : Math.min(pieces, MOST_PIECES),
        IdentifyControllerLayout.CRDT1.get(data, 0),
        IdentifyControllerLayout.CRDT2.get(data, 0),
        IdentifyControllerLayout.CRDT3.get(data, 0));
  }

  /** Return how long a status with this retry delay code, 0 to 3, asks to wait. */
  long retryDelayNanos(int code) {
    int units =
        switch (code) {
          case 1 -> retryDelay1;
          case 2 -> retryDelay2;
          case 3 -> retryDelay3;
          default -> 0;
        };
    return units * 100_000_000L;
  }

  boolean supports(NvmeOperation operation) {
    return switch (operation) {
      case READ, WRITE, FLUSH -> true;
      case COMPARE -> IdentifyControllerLayout.ONCS_COMPARE.isSet(optionalCommands);
      case WRITE_ZEROES -> IdentifyControllerLayout.ONCS_WRITE_ZEROES.isSet(optionalCommands);
      case TRIM -> IdentifyControllerLayout.ONCS_DATASET_MANAGEMENT.isSet(optionalCommands);
      case VERIFY -> IdentifyControllerLayout.ONCS_VERIFY.isSet(optionalCommands);
    };
  }

  boolean hasShadowDoorbells() {
    return IdentifyControllerLayout.OACS_DOORBELL_BUFFER.isSet(optionalAdmin);
  }
}
