package io.twostep.device.nvme;

import io.twostep.device.nvme.wire.StatusCode;

/**
 * A command that failed, or a controller that cannot be used: the message names device, command, namespace and blocks.
 *
 * <p>Memory of a failed request is the caller's again, unless the message says that it is quarantined.
 */
public final class NvmeException extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final NvmeErrorKind kind;
  private final int status;
  private final String device;
  private final int opcode;
  private final int namespaceId;
  private final long lba;

  private NvmeException(
      String message, NvmeErrorKind kind, int status, String device, int opcode, int namespaceId, long lba) {
    super(message + " [" + kind + "]");
    this.kind = kind;
    this.status = status;
    this.device = device;
    this.opcode = opcode;
    this.namespaceId = namespaceId;
    this.lba = lba;
  }

  static NvmeException ofController(String device, NvmeErrorKind kind, String what) {
    return new NvmeException(device + ": " + what, kind, -1, device, -1, 0, -1);
  }

  static NvmeException ofAdmin(String device, AdminCommand command, int status) {
    int id = command.namespaceId();
    String what = id == 0 ? command.name : command.name + " " + Integer.toUnsignedString(id);
    return new NvmeException(
        device + ": " + what + " failed with " + describe(status), NvmeErrorKind.of(status), status, device, command.opcode, id, -1);
  }

  static NvmeException ofRequest(
      String device, NvmeOperation operation, int namespaceId, long lba, long blocks, int status) {
    return new NvmeException(
        device
            + ": "
            + operation.name().toLowerCase(java.util.Locale.ROOT).replace('_', ' ')
            + " of namespace "
            + namespaceId
            + (operation == NvmeOperation.FLUSH ? "" : ", " + blocks + " blocks from 0x" + Long.toHexString(lba) + ",")
            + " failed with "
            + describe(status),
        NvmeErrorKind.of(status),
        status,
        device,
        operation.opcode(),
        namespaceId,
        lba);
  }

  private static String describe(int status) {
    return "status 0x"
        + Integer.toHexString(StatusCode.CODE.get(status))
        + " (type "
        + StatusCode.SCT.get(status)
        + ", code 0x"
        + Integer.toHexString(StatusCode.SC.get(status))
        + (StatusCode.DNR.isSet(status) ? ", do not retry)" : ")");
  }

  /** Return what the failure means. */
  public NvmeErrorKind kind() {
    return kind;
  }

  /** Return the status field of the completion, bits 14:0 (code, type, retry delay, more, do-not-retry); -1 if there was no completion. */
  public int status() {
    return status;
  }

  /** Return the device's place. */
  public String device() {
    return device;
  }

  /** Return the opcode of the command that failed; -1 for none. */
  public int opcode() {
    return opcode;
  }

  /** Return the namespace; 0 for none. */
  public int namespaceId() {
    return namespaceId;
  }

  /** Return the first block of the request; -1 for none. */
  public long lba() {
    return lba;
  }

  /** Tell whether the same request may succeed if it is tried again on the same controller. */
  public boolean isRetryable() {
    return status >= 0 && !StatusCode.DNR.isSet(status) && kind != NvmeErrorKind.GONE && kind != NvmeErrorKind.COMPARE_MISMATCH;
  }
}
