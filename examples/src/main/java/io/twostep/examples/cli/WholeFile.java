package io.twostep.examples.cli;

import io.twostep.examples.temporary.AtEnd;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFileAttributes;
import java.util.UUID;

/** Writes files that hold all of something or, if that fails or is interrupted, what they held before. */
public final class WholeFile {
  private static final int MOST_LINKS = 40;

  private WholeFile() {}

  /** Writes what a file shall hold. */
  interface Content {
    void writeTo(OutputStream file) throws IOException;
  }

  /**
   * Write a text, in UTF-8; what cannot be written whole leaves what was there.
   *
   * @throws BadInput naming the file and why it cannot be written
   */
  public static void write(Path file, String text) {
    try {
      write(file, to -> to.write(text.getBytes(StandardCharsets.UTF_8)));
    } catch (IOException e) {
      throw new BadInput(file + " cannot be written (" + Reason.of(e) + "); choose another place");
    }
  }

  /**
   * Write beside a file and move it there, keeping owner and permissions as far as the process may. Links are followed. What is no file is written to where it is, and so is a file whose
   * folder lets nothing be put beside it or moved there: that one can be cut short.
   *
   * @throws IOException if it cannot be written; nothing new is left behind
   */
  static void write(Path file, Content content) throws IOException {
    Path target = followed(file);
    boolean there = Files.exists(target);
    if (there && (!Files.isRegularFile(target) || !Files.isWritable(folder(target)))) {
      inPlace(target, content);
      return;
    }
    Path beside = target.resolveSibling(".twostep-" + UUID.randomUUID() + ".tmp");
    try (AtEnd _ = AtEnd.run("remove-" + beside.getFileName(), () -> removeQuietly(beside))) {
      try {
        try (OutputStream to = Files.newOutputStream(beside, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
          content.writeTo(to);
        }
        if (there) {
          keepAttributes(target, beside);
        }
        move(beside, target, there, content);
      } finally {
        Files.deleteIfExists(beside);
      }
    }
  }

  private static Path followed(Path file) throws IOException {
    Path target = file.toAbsolutePath();
    // The kernel's own links, such as /dev/stdout, may lead to what has no name.
    for (int i = 0; i < MOST_LINKS && Files.isSymbolicLink(target) && (Files.isRegularFile(target) || !Files.exists(target)); i++) {
      target = target.resolveSibling(Files.readSymbolicLink(target));
    }
    return target;
  }

  private static Path folder(Path file) {
    Path folder = file.getParent();
    return folder == null ? file : folder;
  }

  private static void inPlace(Path target, Content content) throws IOException {
    try (OutputStream to = Files.newOutputStream(target)) {
      content.writeTo(to);
    }
  }

  /** Move a file, or, where it is on a mount of its own or in another user's place, write it there: the whole of it has been written once. */
  private static void move(Path from, Path to, boolean there, Content content) throws IOException {
    try {
      Files.move(from, to, StandardCopyOption.ATOMIC_MOVE);
    } catch (FileSystemException e) {
      if (!there) {
        throw e;
      }
      Files.delete(from);
      inPlace(to, content);
    }
  }

  private static void keepAttributes(Path of, Path to) throws IOException {
    PosixFileAttributeView view = Files.getFileAttributeView(to, PosixFileAttributeView.class);
    if (view == null) {
      return;
    }
    PosixFileAttributes old = Files.readAttributes(of, PosixFileAttributes.class);
    try {
      if (!view.readAttributes().owner().equals(old.owner())) {
        view.setOwner(old.owner());
      }
      if (!view.readAttributes().group().equals(old.group())) {
        view.setGroup(old.group());
      }
    } catch (FileSystemException e) {
      // Only root may give files away: it becomes ours.
    }
    view.setPermissions(old.permissions());
  }

  private static void removeQuietly(Path file) {
    try {
      Files.deleteIfExists(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
