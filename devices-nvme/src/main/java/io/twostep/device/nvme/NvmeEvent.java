package io.twostep.device.nvme;

/**
 * An asynchronous event that a controller reported (Base 5.2).
 *
 * @param type 0 error, 1 health, 2 notice
 * @param information what happened, within the type
 * @param logPage the log page that says more
 */
public record NvmeEvent(int type, int information, int logPage) {
  /** Tell whether the set or the shape of namespaces changed. */
  public boolean isNamespaceChange() {
    return type == 2 && information == 0;
  }
}
