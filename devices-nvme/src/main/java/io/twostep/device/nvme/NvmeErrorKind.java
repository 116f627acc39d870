package io.twostep.device.nvme;

import io.twostep.device.nvme.wire.StatusCode;

/** What a failed request means to its caller; many status codes are one kind. */
public enum NvmeErrorKind {
  /** The medium failed. */
  MEDIUM,
  /** The protection information did not match. */
  PROTECTION,
  /** The blocks differ from the memory they were compared with. */
  COMPARE_MISMATCH,
  /** There is no room. */
  NO_SPACE,
  /** The controller does not support the command, a field of it, or the namespace. */
  NOT_SUPPORTED,
  /** The blocks do not exist, or the namespace is not ready. */
  TARGET,
  /** Another host has reserved the namespace. */
  RESERVATION,
  /** The controller reported a failed transfer. */
  TRANSFER,
  /** The host gave the command up, by an abort or in a reset. */
  CANCELLED,
  /** The controller is gone, dead or closed. */
  GONE,
  /** The controller did not do what the specification promises, such as become ready in time. */
  PROTOCOL,
  /** Any other status. */
  OTHER;

  /** Return the kind of a status: type and code, bits 10:0 as {@link NvmeException#status} has them. */
  public static NvmeErrorKind of(int status) {
    return switch (status & 0x7ff) {
      case StatusCode.WRITE_FAULT,
          StatusCode.UNRECOVERED_READ_ERROR,
          StatusCode.DEALLOCATED_BLOCK,
          StatusCode.ACCESS_DENIED,
          StatusCode.READ_ONLY_RANGE ->
          MEDIUM;
      case StatusCode.GUARD_CHECK_ERROR,
          StatusCode.APPLICATION_TAG_CHECK_ERROR,
          StatusCode.REFERENCE_TAG_CHECK_ERROR,
          StatusCode.INVALID_PROTECTION_INFORMATION ->
          PROTECTION;
      case StatusCode.COMPARE_FAILURE -> COMPARE_MISMATCH;
      case StatusCode.CAPACITY_EXCEEDED -> NO_SPACE;
      case StatusCode.INVALID_OPCODE,
          StatusCode.INVALID_FIELD,
          StatusCode.INVALID_NAMESPACE_OR_FORMAT,
          StatusCode.CONFLICTING_ATTRIBUTES ->
          NOT_SUPPORTED;
      case StatusCode.LBA_OUT_OF_RANGE, StatusCode.COMMAND_INTERRUPTED, StatusCode.NAMESPACE_NOT_READY -> TARGET;
      case StatusCode.RESERVATION_CONFLICT -> RESERVATION;
      case StatusCode.DATA_TRANSFER_ERROR -> TRANSFER;
      case StatusCode.HOST_ABORTED, StatusCode.ABORT_REQUESTED, StatusCode.ABORTED_QUEUE_DELETED -> CANCELLED;
      case StatusCode.HOST_PATHING_ERROR -> GONE;
      default -> OTHER;
    };
  }
}
