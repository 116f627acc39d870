package io.twostep.machine.linux.vfiouser.server;

/**
 * Registers that a client writes by store instead of by message, such as doorbells: the server looks for what was written.
 *
 * <p>They are written in 32 bits, never with all ones, and never read; writes to one of them may be seen as the last one only.
 *
 * @param bar the BAR
 * @param offset first byte in it, on a page
 * @param length bytes, whole pages
 */
public record SharedWindow(int bar, long offset, long length) {
  private static final long PAGE = 4096;

  /** Check that it is whole pages. */
  public SharedWindow {
    if (bar < 0 || bar > 5 || offset < 0 || length <= 0 || ((offset | length) & (PAGE - 1)) != 0) {
      throw new IllegalArgumentException("shared window 0x%x+0x%x of BAR %d: whole pages of a BAR".formatted(offset, length, bar));
    }
  }
}
