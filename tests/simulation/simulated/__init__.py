"""A whole Hatchway in virtual time: the real code of backend and governor over fakes that outlive it."""
