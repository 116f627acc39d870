package io.twostep.device.vfio.migrate;

import java.util.Locale;

/**
 * Says who may run the guest. Changes only by compare-and-set in an {@link OwnershipStore}, each time to a later epoch, so that whoever acts on an older one is fenced off.
 *
 * @param epoch counts changes
 * @param holder who may run the guest
 * @param session the migration under way, whose destination may take over; 0 for none. Of a guest that was taken over, the migration that did it
 */
public record Ownership(long epoch, Side holder, long session) {
  /** A side of a migration. */
  public enum Side {
    /** Where the guest comes from. */
    SOURCE,
    /** Where it goes. */
    DESTINATION;

    /** Return the name, for people. */
    String text() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /** The guest is where it always was. */
  public static final Ownership INITIAL = new Ownership(1, Side.SOURCE, 0);

  /** Return what a source makes of it to begin a migration. */
  Ownership begun(long session) {
    return new Ownership(epoch + 1, Side.SOURCE, session);
  }

  /** Return what a source makes of it to end a migration and keep the guest. */
  Ownership keptBySource() {
    return new Ownership(epoch + 1, Side.SOURCE, 0);
  }

  /** Return what a source makes of it that starts again from a checkpoint: two epochs on, so that the source that was lost, should it not be, never takes this for a change of its own. */
  Ownership resumedBySource() {
    return new Ownership(epoch + 2, Side.SOURCE, 0);
  }

  /** Return what a destination makes of it to take the guest over: the commit. */
  Ownership takenByDestination() {
    return new Ownership(epoch + 1, Side.DESTINATION, session);
  }

  /** Return what a destination makes of it that starts from a spool: two epochs on, so that the destination that was lost, should it not be, never takes this for its commit. */
  Ownership resumedByDestination() {
    return new Ownership(epoch + 2, Side.DESTINATION, session);
  }

  /** Tell whether the destination of a migration holds the guest. */
  boolean isTakenIn(long migration) {
    return holder == Side.DESTINATION && session == migration;
  }
}
