"""The pages behind one key, one file a page. Header and buttons stay on the screen."""
